import { utf8Encode } from '@tidemark/protocol'
import type { FileSystem } from '../ports/file-system.js'
import { mustBeSystemError } from './disk.js'

/**
 * Time that one look sees pass at most. A clock that jumps ten years ahead adds no more than that, one that
 * is set back nothing: what is removed after n days was there at n looks at least, on different days.
 */
export const LOOK_MS_MAX = 24 * 3_600_000

/** How long each group has been in the trash, as far as this device saw time pass. */
export interface TrashAges {
  /** When the trash was last looked at; wall clock, milliseconds. */
  readonly lookedMs: number
  /** By group, milliseconds. */
  readonly ages: ReadonlyMap<string, number>
}

/** What is new since the last look has age 0; what was never looked at too. Pure. */
export function agesAt(before: TrashAges | undefined, groups: readonly string[], nowMs: number): TrashAges {
  const passedMs = Math.min(LOOK_MS_MAX, Math.max(0, nowMs - (before?.lookedMs ?? nowMs)))
  const ageOf = (group: string): number => {
    const age = before?.ages.get(group)
    return age === undefined ? 0 : age + passedMs
  }
  return { lookedMs: nowMs, ages: new Map(groups.map((group) => [group, ageOf(group)])) }
}

const pathIn = (trash: string): string => `${trash}/ages.json`

/** What the last look left. Missing or spoilt, everything is as good as new: it is kept longer. */
export function readAges(files: FileSystem, trash: string): TrashAges | undefined {
  try {
    const text = new TextDecoder().decode(files.readFile(pathIn(trash)))
    const { lookedMs, ages } = JSON.parse(text) as { lookedMs?: unknown; ages?: unknown }
    if (!isTime(lookedMs) || typeof ages !== 'object' || ages === null) return undefined
    return { lookedMs, ages: new Map(Object.entries(ages).filter(([, age]) => isTime(age))) }
  } catch (error) {
    if (!(error instanceof SyntaxError)) mustBeSystemError(error)
    return undefined
  }
}

/** Replaced in one step. @throws system errors. */
export function writeAges(files: FileSystem, trash: string, { lookedMs, ages }: TrashAges): void {
  const draft = `${pathIn(trash)}.new`
  if (files.lstat(draft)) files.unlink(draft)
  const text = JSON.stringify({ lookedMs, ages: Object.fromEntries(ages) })
  files.writeNew(draft, utf8Encode(`${text}\n`), { mode: 0o600 })
  files.rename(draft, pathIn(trash))
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
