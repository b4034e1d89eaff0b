import { formatScript, type Script } from './script.js'

/** What a run may break. */
export type Rule =
  /** It does not become equal and idle in time. */
  | 'unequal'
  /** It does, but says more on the way than it may. */
  | 'talkative'
  /** It is idle, and goes on talking. */
  | 'noisy'
  /** Bytes are gone that nobody took away. */
  | 'lost'
  /** Bytes that nobody took away are in no folder any more. */
  | 'unseen'
  /** Bytes are shown that somebody overwrote or deleted, having seen them, and that nobody moved. */
  | 'stale'
  /** A device wrote something, although nobody did anything at it. */
  | 'unasked'
  /** A trash does not keep what was put there. */
  | 'emptied'
  /** The hub tells of files of which it has no bytes. */
  | 'empty'
  /** Bytes are shown, or read, that nobody wrote. */
  | 'strange'
  /** What everybody has deleted is remembered for ever. */
  | 'remembered'
  /** An audit found the hub to lack what it claims. */
  | 'repaired'
  /** A replica forgot what it had, although its database did not go back. */
  | 'frontier'
  /** A folder's database says in two ways what stands where. */
  | 'crossed'
  /** A folder shows something otherwise than the space does, and does not know to look at it. */
  | 'unmarked'
  /** A database knows of bytes that rules hide on somebody's disk. */
  | 'told'
  /** A program turns in a circle without waiting for anything: a busy processor. */
  | 'restless'
  /** Somebody who broke the protocol was not sent away. */
  | 'trusting'
  /** The transport or blob store that the run was given broke its port, or lost what it was asked to do. */
  | 'adapter'
  /** The product, or the simulator, threw. */
  | 'threw'

/** A run broke a rule: all that happened until then, and the script that makes it happen again. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'

  constructor(
    readonly rule: Rule,
    readonly detail: string,
    readonly script: Script,
    readonly trace: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`${rule}: ${detail}\n${formatScript(script)}\n${trace.join('\n')}`, options)
  }
}
