import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HubCounts } from '../hub-engine.js'
import { send } from './problem.js'

const HELP: Readonly<Record<keyof HubCounts, string>> = {
  sessions: 'Sessions that are open.',
  spaces: 'Spaces that were opened since the start.',
  members: 'Devices that are waited for before what is deleted is forgotten, in the spaces that are open.',
  tombstones: 'Deleted files and directories that are remembered in the spaces that are open.',
  repaired:
    'Files, directories and links that were lost here, and that an audit brought back, since the start.',
}

/** The text format of Prometheus. */
export function sendMetrics(request: IncomingMessage, response: ServerResponse, counts: HubCounts): void {
  const lines = Object.entries(HELP).map(
    ([name, help]) =>
      `# HELP tidemark_${name} ${help}\n# TYPE tidemark_${name} gauge\ntidemark_${name} ${counts[name as keyof HubCounts]}\n`,
  )
  send(request, response, 200, lines.join(''), {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'cache-control': 'no-store',
  })
}
