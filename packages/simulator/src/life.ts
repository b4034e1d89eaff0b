import type { KeyValueStore } from '@tidemark/engine'

/** A program: what it does after its end is nobody's business. */
export class Life {
  #isAlive = true
  #end: () => void = () => undefined
  /** Resolves when it is over. */
  readonly ended = new Promise<void>((resolve) => {
    this.#end = resolve
  })

  get isAlive(): boolean {
    return this.#isAlive
  }

  end(): void {
    this.#isAlive = false
    this.#end()
  }
}

/**
 * How a program dies that makes a call: before the call; right after it; or after it, because the power goes.
 * Then nothing is left of what the database (`rowless`) or the disk (`bare`) had not made durable; the other
 * of the two happened to keep everything.
 */
export type Death = 'before' | 'after' | 'rowless' | 'bare'

export const DEATHS: readonly string[] = ['before', 'after', 'rowless', 'bare'] satisfies Death[]

/** Waits in a database, or on a disk, for a program. */
export class Trap {
  #callsLeft: number | undefined
  #death: Death = 'before'

  /** @param callsLeft Calls that are let through: those that write. */
  set(callsLeft: number, death: Death): void {
    this.#callsLeft = callsLeft
    this.#death = death
  }

  clear(): void {
    this.#callsLeft = undefined
  }

  /** To be asked before each call that writes. @returns how the program dies now, if it does. */
  springs(): Death | undefined {
    if (this.#callsLeft === undefined || this.#callsLeft-- > 0) return undefined
    this.#callsLeft = undefined
    return this.#death
  }
}

const NEVER = new Promise<never>(() => undefined)

/** A database as a program sees it: what is dead writes nothing, and learns nothing of what it wrote last. */
export function mortalStore(
  store: KeyValueStore,
  life: Life,
  trap: Trap,
  onDeath: (death: Death) => void,
): KeyValueStore {
  return {
    get: (key) => store.get(key),
    getMany: (keys) => store.getMany(keys),
    range: (range) => store.range(range),
    snapshot: () => store.snapshot(),
    batch: (ops, options) => {
      if (!life.isAlive) return NEVER
      const death = trap.springs()
      const done = death === 'before' ? NEVER : store.batch(ops, options)
      if (death === undefined) return done
      life.end()
      onDeath(death)
      return NEVER
    },
    close: () => store.close(),
  }
}
