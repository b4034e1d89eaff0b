import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HubCounts } from '../hub-engine.js'
import { send } from './problem.js'

interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
}

const gauge = (name: string, help: string): Metric => ({ name, type: 'gauge', help })
const counter = (name: string, help: string): Metric => ({ name, type: 'counter', help })

const METRICS: Readonly<Record<keyof HubCounts, Metric>> = {
  sessions: gauge('sessions', 'Sessions that are open.'),
  spaces: gauge('spaces', 'Spaces that were opened since the start.'),
  members: gauge(
    'members',
    'Devices that are waited for before what is deleted is forgotten, in the spaces that are open.',
  ),
  tombstones: gauge(
    'tombstones',
    'Deleted files and directories that are remembered in the spaces that are open.',
  ),
  repaired: gauge(
    'repaired',
    'Files, directories and links that were lost here, and that an audit brought back, since the start.',
  ),
  condemnedBytes: gauge(
    'blob_bytes_condemned',
    'Bytes that nothing needs and that are kept for a while, as the last whole pass over each space found them.',
  ),
  deletedBlobs: counter(
    'blobs_deleted_total',
    'Blobs that were deleted because nobody needed them any more.',
  ),
  deletedBytes: counter('blob_bytes_deleted_total', 'Bytes of chunks in these blobs.'),
  otherHubs: gauge(
    'store_other_hubs',
    'Other hubs, or copies of this one, that use its store: while there is one, nothing is deleted.',
  ),
}

/** The text format of Prometheus. */
export function sendMetrics(request: IncomingMessage, response: ServerResponse, counts: HubCounts): void {
  const lines = Object.entries(METRICS).map(
    ([count, { name, type, help }]) =>
      `# HELP tidemark_${name} ${help}\n# TYPE tidemark_${name} ${type}\ntidemark_${name} ${counts[count as keyof HubCounts]}\n`,
  )
  send(request, response, 200, lines.join(''), {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'cache-control': 'no-store',
  })
}
