import type { EntryKey } from '@tidemark/engine'
import type { Step } from './step.js'

/** Large enough to share its syncs, small enough to journal in one write. */
const BATCH_STEPS_MAX = 2_048

/** Groups of steps that are journaled and made durable together (see `Run`). */
export function* batches(steps: readonly Step[]): Generator<readonly Step[]> {
  let batch: Step[] = []
  const keys = new Set<EntryKey>()
  for (const step of steps) {
    const alone = movesDirectory(step)
    if (batch.length > 0 && (alone || batch.length === BATCH_STEPS_MAX || keys.has(step.item.key))) {
      yield batch
      batch = []
      keys.clear()
    }
    if (alone) yield [step]
    else {
      batch.push(step)
      keys.add(step.item.key)
    }
  }
  if (batch.length > 0) yield batch
}

export const changesPlace = ({ type }: Step): boolean => type === 'move' || type === 'lift' || type === 'land'

const movesDirectory = (step: Step): boolean =>
  changesPlace(step) && (step.type !== 'move' || step.item.row!.entry.kind === 'dir')
