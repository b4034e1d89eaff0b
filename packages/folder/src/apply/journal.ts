import type { EntryKey, KeyValueOp, KeyValueReader, ViewEntry } from '@tidemark/engine'
import { decodeNodeEntry, encodeNodeEntry, type NodeEntry } from '@tidemark/protocol'
import type { Fingerprint, SyncedRow } from '../rows.js'
import type { Step } from './step.js'

/**
 * What was about to be done when the process ended: durable before the first rename of a batch, removed
 * in the batch that records the result. Paths are relative to the bound directory.
 */
export interface Intent {
  readonly type: Step['type']
  readonly key: EntryKey
  /** The row that the effect starts from, as the database has it. */
  readonly row?: SyncedRow
  /** What the entry's row is after the effect, but for the fingerprint; absent: it has none. */
  readonly after?: { readonly dir: EntryKey; readonly localName: string; readonly entry: ViewEntry }
  /** Set on the last effect of an entry: what to take over when it was done. */
  readonly shown?: { readonly as?: ViewEntry; readonly nodes: readonly NodeEntry[] }
  /** Where the thing stood. */
  readonly from?: string
  /** Where it stands after. */
  readonly to?: string
  /** Where the old content goes. */
  readonly aside?: string
  readonly staged?: { readonly path: string; readonly fingerprint: Fingerprint }
}

/** Something that waits in staging while a cycle of moves is undone. */
export interface Lift {
  /** Its row before: that is where it goes back to. */
  readonly row: SyncedRow
  readonly path: string
}

/** Beside the keys of the rows (`d/`, `i/`, `k/`, `p/`, `root`). */
const BATCH_KEY = 'apply/batch'
/** What of earlier batches the disk did not let be settled. */
const UNSETTLED_KEY = 'apply/unsettled'
const LIFT_PREFIX = 'apply/lift/'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Intents, and under which start of the machine they were written (see `FileSystem.bootId`). */
export interface Batch {
  readonly intents: readonly Intent[]
  readonly bootId: string | undefined
}

const putIntents = (key: string, { intents, bootId }: Batch): KeyValueOp => ({
  type: 'put',
  key,
  value: encoder.encode(JSON.stringify({ intents: intents.map(packIntent), bootId })),
})
export const batchPut = (batch: Batch): KeyValueOp => putIntents(BATCH_KEY, batch)
export const batchDel: KeyValueOp = { type: 'del', key: BATCH_KEY }
export const unsettledPut = (intents: readonly Intent[]): KeyValueOp =>
  putIntents(UNSETTLED_KEY, { intents, bootId: undefined })
export const unsettledDel: KeyValueOp = { type: 'del', key: UNSETTLED_KEY }

export const liftPut = (lift: Lift): KeyValueOp => ({
  type: 'put',
  key: LIFT_PREFIX + lift.row.key,
  value: encoder.encode(JSON.stringify(lift)),
})
export const liftDel = (rowKey: EntryKey): KeyValueOp => ({ type: 'del', key: LIFT_PREFIX + rowKey })

export const readBatch = (rows: KeyValueReader): Promise<Batch> => readIntents(rows, BATCH_KEY)
export const readUnsettled = async (rows: KeyValueReader): Promise<readonly Intent[]> =>
  (await readIntents(rows, UNSETTLED_KEY)).intents

async function readIntents(rows: KeyValueReader, key: string): Promise<Batch> {
  const value = await rows.get(key)
  if (value === undefined) return { intents: [], bootId: undefined }
  const { intents, bootId } = JSON.parse(decoder.decode(value)) as PackedBatch
  return { intents: intents.map(unpackIntent), bootId }
}

export async function readLifts(rows: KeyValueReader): Promise<readonly Lift[]> {
  const lifts: Lift[] = []
  for await (const page of rows.range({ gte: LIFT_PREFIX, lt: `${LIFT_PREFIX.slice(0, -1)}0` })) {
    for (const [, value] of page) lifts.push(JSON.parse(decoder.decode(value)) as Lift)
  }
  return lifts
}

/** What is under way, on a disk that has another device number now. */
export async function rebasedJournal(
  rows: KeyValueReader,
  before: string,
  now: string,
): Promise<KeyValueOp[]> {
  const rebased = (fingerprint: Fingerprint): Fingerprint =>
    fingerprint.dev === before ? { ...fingerprint, dev: now } : fingerprint
  const withRebased = <T extends { readonly fingerprint: Fingerprint }>(thing: T): T => ({
    ...thing,
    fingerprint: rebased(thing.fingerprint),
  })
  const intentOf = ({ row, staged, ...intent }: Intent): Intent => ({
    ...intent,
    ...(row ? { row: withRebased(row) } : {}),
    ...(staged ? { staged: withRebased(staged) } : {}),
  })
  const ops: KeyValueOp[] = []
  const { intents, bootId } = await readBatch(rows)
  if (intents.length > 0) ops.push(batchPut({ intents: intents.map(intentOf), bootId }))
  const unsettled = await readUnsettled(rows)
  if (unsettled.length > 0) ops.push(unsettledPut(unsettled.map(intentOf)))
  for (const { row, path } of await readLifts(rows)) ops.push(liftPut({ row: withRebased(row), path }))
  return ops
}

interface PackedIntent extends Omit<Intent, 'shown'> {
  readonly shown?: { readonly as?: ViewEntry; readonly nodes: readonly string[] }
}

interface PackedBatch {
  readonly intents: readonly PackedIntent[]
  readonly bootId?: string
}

function packIntent(intent: Intent): PackedIntent {
  const { shown, ...rest } = intent
  if (!shown) return rest
  const nodes = shown.nodes.map((node) => Buffer.from(encodeNodeEntry(node)).toString('base64'))
  return { ...rest, shown: { ...shown, nodes } }
}

function unpackIntent(packed: PackedIntent): Intent {
  const { shown, ...rest } = packed
  if (!shown) return rest
  const nodes = shown.nodes.map((text) => decodeNodeEntry(Buffer.from(text, 'base64')))
  return { ...rest, shown: { ...shown, nodes } }
}
