import type { EntryKey } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { STAGING_DIR } from '../rows.js'
import { changesPlace } from './batches.js'
import { pathOf, relativeTo, type Spot } from './effects.js'
import type { Intent } from './journal.js'
import type { LeavingRules } from './leaving-rules.js'
import type { Locator } from './locator.js'
import type { Report } from './report.js'
import type { RunState } from './run-state.js'
import type { Staged, StagingArea } from './staging.js'
import { liftName, newDirId, type Place, type Step } from './step.js'
import type { Trash } from './trash.js'

export interface RunTools {
  readonly ctx: ApplyContext
  readonly locator: Locator
  readonly trash: Trash
  readonly staging: StagingArea
  readonly staged: ReadonlyMap<EntryKey, Staged>
  readonly report: Report
  readonly leavingRules: Pick<LeavingRules, 'hide'>
}

/** A step with its paths as they are when its batch begins. */
export interface Prepared {
  readonly step: Step
  readonly intent: Intent
  readonly from: Spot | undefined
  readonly to: Spot | undefined
  readonly aside: string | undefined
  /** Directories that must be what the rows say. */
  readonly through: readonly string[]
}

/**
 * Resolves a step's paths and writes down what it is about to do.
 * @returns `undefined` when a directory above has no place on disk.
 * @throws system errors: the trash could not be prepared.
 */
export function prepare(tools: RunTools, state: RunState, step: Step): Prepared | undefined {
  const { locator, trash, staging, ctx, staged } = tools
  const { item } = step
  const row = state.rows.get(item.key)
  const stored = state.stored.get(item.key)
  const target = 'to' in step ? step.to : undefined
  const isLift = step.type === 'lift'
  const fromPlace = state.placeOf(item.key)
  if (step.type === 'mkdir') locator.announce(newDirId(item.key), step.to)
  const toPlace = isLift ? { dir: STAGING_DIR, name: liftName(row!) } : target
  const [from, to] = [fromPlace && spotOf(locator, fromPlace), toPlace && spotOf(locator, toPlace)]
  if ((fromPlace && !from) || (toPlace && !to)) return undefined
  let aside: string | undefined
  if (step.type === 'remove' || step.type === 'replace') {
    aside = trash.placeFor(locator.relative(fromPlace!))
  } else if (changesPlace(step) && row!.entry.kind !== 'dir') aside = staging.scratch()
  const content = step.type === 'create' || step.type === 'replace' ? staged.get(item.key) : undefined
  const rel = (path: string) => relativeTo(ctx.directory, path)
  const as = item.want ?? item.hidden
  const intent: Intent = {
    type: step.type,
    key: item.key,
    ...(stored ? { row: stored } : {}),
    ...(target && !isLift
      ? { after: { dir: target.dirKey, localName: target.name, entry: state.entryAfter(step) } }
      : {}),
    ...(state.isLast(step) ? { shown: { ...(as ? { as } : {}), nodes: item.nodes } } : {}),
    ...(from ? { from: rel(pathOf(from)) } : {}),
    ...(to ? { to: rel(pathOf(to)) } : {}),
    ...(aside ? { aside: rel(aside) } : {}),
    ...(content ? { staged: { path: rel(content.path), fingerprint: content.fingerprint } } : {}),
  }
  const through = [fromPlace?.dir, toPlace?.dir].filter((dir) => dir !== undefined)
  return { step, intent, from, to, aside, through }
}

function spotOf(locator: Locator, { dir, name }: Place): Spot | undefined {
  const directory = locator.absoluteDir(dir)
  return directory === undefined ? undefined : { directory, name }
}
