import type { EntryKey } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { mustBeSystemError } from './disk.js'
import type { Item } from './item.js'
import { changedModeOf } from './mode.js'
import { type Plan, type PlanInput, plan } from './plan.js'
import { noSpace, refusedByDisk } from './problems.js'
import type { Report } from './report.js'
import { Room } from './room.js'
import type { StagingResult } from './stage.js'
import type { StagingArea } from './staging.js'

interface Tools {
  readonly ctx: ApplyContext
  readonly area: StagingArea
  readonly report: Report
  readonly signal: AbortSignal
  /** For problems. */
  pathOf(item: Item): string
}

/**
 * A plan, after copies of downloaded parts were made where files with equal bytes wait for each other: the
 * one that has the part for a place, which another leaves only when it has its bytes. Where nobody waits in
 * this way, the part goes to one file, and another asks again.
 *
 * @param input `blocked`: items that must not be touched, those without bytes not among them.
 * @throws the signal's reason.
 */
export async function planSharing(tools: Tools, input: PlanInput, stagedNow: StagingResult): Promise<Plan> {
  const { waiting, sharing } = stagedNow
  const blocked = (): Set<EntryKey> => new Set([...input.blocked, ...waiting])
  const first = plan({ ...input, blocked: blocked() })
  const isStuck = [...stagedNow.staged].some(
    ([key, { path }]) => first.deferred.includes(key) && [...sharing.values()].includes(path),
  )
  if (!isStuck) return first
  const without = new Set([...blocked()].filter((key) => !sharing.has(key)))
  const hopeless = new Set(plan({ ...input, blocked: without }).deferred)
  for (const [key, part] of sharing) {
    if (!hopeless.has(key)) await copyPart(tools, input, stagedNow, key, part)
  }
  return plan({ ...input, blocked: blocked() })
}

async function copyPart(
  { ctx, area, report, signal, pathOf }: Tools,
  { items }: PlanInput,
  { staged, waiting }: StagingResult,
  key: EntryKey,
  part: string,
): Promise<void> {
  const item = items.find((each) => each.key === key)!
  const { size, mtimeMs } = item.want!.version!
  if (!new Room(ctx.files, ctx.staging).take(size)) {
    report.problem(noSpace(pathOf(item), size))
    return
  }
  try {
    const mode = changedModeOf(item, ctx.files.umask())
    staged.set(key, await area.copy(part, { mode, mtimeMs }, signal))
    waiting.delete(key)
  } catch (error) {
    signal.throwIfAborted()
    report.problem(refusedByDisk(pathOf(item), mustBeSystemError(error)))
  }
}
