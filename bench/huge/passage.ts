import { setTimeout as delay } from 'node:timers/promises'
import { type Program, until } from '../../test/support/processes.js'
import type { Trouble } from './troubles.js'

/** What a trouble cost. */
export interface Toll {
  readonly kind: Trouble['kind']
  /** So much of the file was where it belongs. */
  readonly atBytes: number
  /** Bytes that had passed and were lost: they pass again. */
  readonly againBytes: number
  /** From the restart until more of the file is where it belongs than ever before. */
  readonly resumeMs: number
}

/** What a trouble ends, and what brings it back. */
export interface Mortal {
  end(): Promise<void>
  startAgain(): Promise<void>
}

/** One way of the file: to the hub, or from it. */
export interface PassageParts {
  readonly troubles: readonly Trouble[]
  start(): Program
  readonly others: Readonly<Record<Exclude<Trouble['kind'], 'program'>, Mortal>>
  /** Bytes on the wire in this direction until now. */
  passedBytes(): number
  /** Bytes of the file that nobody has to send again, by the word of whoever holds them. */
  heldBytes(): number
}

export interface Passage {
  readonly wallMs: number
  readonly tolls: readonly Toll[]
  /** All bytes that passed beyond those that are held in the end. */
  readonly overheadBytes: number
  /** The program's last words. */
  readonly lines: readonly string[]
}

const PROGRESS_TIMEOUT_MS = 120_000

/** Starts the program, and lets the troubles come. @throws it failed, or stood still. */
export async function passage(parts: PassageParts): Promise<Passage> {
  const { troubles, start, others, passedBytes, heldBytes } = parts
  const began = performance.now()
  const [passedAtFirst, heldAtFirst] = [passedBytes(), heldBytes()]
  let program = start()
  const mortals: Record<Trouble['kind'], Mortal> = {
    ...others,
    program: {
      end: () => program.kill(),
      startAgain: async () => {
        program = start()
      },
    },
  }
  const told = (): number => lastTold(program.lines)
  const isDone = (): boolean => program.lines.at(-1) === 'done'
  /** The condition, or an end that nobody asked for. */
  const reached = async (what: string, holds: () => boolean, timeoutMs: number): Promise<void> => {
    await until(what, () => holds() || hasEnded(program), timeoutMs)
    if (!holds())
      throw new Error(
        `the program ended before ${what}: ${program.child.exitCode}\n${program.errors.join('\n')}`,
      )
  }
  let [passed, held] = [passedAtFirst, heldAtFirst]
  const tolls: Toll[] = []
  for (const { kind, atBytes, delayMs } of troubles) {
    await standsStillNot(told, () => told() >= atBytes || isDone() || hasEnded(program))
    await delay(delayMs)
    if (isDone()) throw new Error(`the file had arrived before it could be interrupted at ${atBytes} bytes`)
    await mortals[kind].end()
    const [passedNow, heldNow] = [passedBytes(), heldBytes()]
    const heldBefore = Math.max(told(), heldNow - heldAtFirst)
    const restarted = performance.now()
    await mortals[kind].startAgain()
    await reached(`it goes on after ${kind}`, () => told() > heldBefore || isDone(), PROGRESS_TIMEOUT_MS)
    const toll: Toll = {
      kind,
      atBytes: heldBefore,
      againBytes: passedNow - passed - (heldNow - held),
      resumeMs: performance.now() - restarted,
    }
    tolls.push(toll)
    process.stdout.write(`  ${describe(toll)}\n`)
    passed = passedNow
    held = heldNow
  }
  await standsStillNot(told, () => isDone() || hasEnded(program))
  await reached('it is done', isDone, 1_000)
  const wallMs = performance.now() - began
  await until('the program has ended', () => hasEnded(program))
  const overheadBytes = passedBytes() - passedAtFirst - (heldBytes() - heldAtFirst)
  return { wallMs, tolls, overheadBytes, lines: program.lines }
}

const describe = ({ kind, atBytes, againBytes, resumeMs }: Toll): string =>
  `${kind} ended at ${(atBytes / 1e9).toFixed(2)} GB: ${(againBytes / 2 ** 20).toFixed(1)} MiB again, on after ${(resumeMs / 1000).toFixed(2)} s`

/** With all that it said. */
const hasEnded = ({ child }: Program): boolean => child.exitCode !== null && child.stdout?.closed !== false

/** As `until`, for as long as there is progress. */
async function standsStillNot(told: () => number, holds: () => boolean): Promise<void> {
  for (;;) {
    const before = told()
    const isAnother = (): boolean => told() !== before || holds()
    await until('there is progress', isAnother, PROGRESS_TIMEOUT_MS)
    if (holds()) return
  }
}

function lastTold(lines: readonly string[]): number {
  for (let i = lines.length - 1; i >= 0; i--) {
    const bytes = /^at (\d+)$/.exec(lines[i]!)?.[1]
    if (bytes !== undefined) return Number(bytes)
  }
  return 0
}
