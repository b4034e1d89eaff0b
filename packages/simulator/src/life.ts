import type { KeyValueStore } from '@tidemark/engine'
import { DatabaseError } from '@tidemark/protocol'

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

/** Where a database lies. */
export class Volume {
  /** No write finds room. */
  isFull = false
  /** A write failed: as LevelDB, which must be opened again, the database answers nothing until there is room. */
  #isDown = false

  /** @throws {DatabaseError} NO_SPACE. */
  checkWrite(): void {
    this.#isDown = this.isFull
    this.checkRead()
  }

  /** @throws {DatabaseError} NO_SPACE. */
  checkRead(): void {
    this.#isDown &&= this.isFull
    if (this.#isDown) throw new DatabaseError('NO_SPACE', 'no space left for the database')
  }
}

/** Whether a program could not start, or go on, because there was no room for its database. */
export const isNoSpace = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === 'NO_SPACE'

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

/** Lies in a disk: some calls in a row fail, and whoever made them lives. */
export class Fault {
  #callsLeft = 0
  #failures = 0
  #isOfLooks = false

  /**
   * @param callsLeft Calls that are let through.
   * @param failures Calls behind them that fail.
   * @param isOfLooks Those that only look count, and fail, too.
   */
  set(callsLeft: number, failures: number, isOfLooks: boolean): void {
    this.#callsLeft = callsLeft
    this.#failures = failures
    this.#isOfLooks = isOfLooks
  }

  clear(): void {
    this.#failures = 0
  }

  /** To be asked before each call. @returns whether it fails. */
  strikes(isLook: boolean): boolean {
    if (this.#failures === 0 || (isLook && !this.#isOfLooks) || this.#callsLeft-- > 0) return false
    this.#failures--
    return true
  }
}

/** A promise of its own for each who waits: one for all would keep every dead program in memory. */
export const never = (): Promise<never> => new Promise(() => undefined)

/** A database as a program sees it: what is dead writes nothing, and learns nothing of what it wrote last. */
export function mortalStore(
  store: KeyValueStore,
  life: Life,
  { trap, volume }: { readonly trap: Trap; readonly volume: Volume },
  onDeath: (death: Death) => void,
): KeyValueStore {
  const readable = (): KeyValueStore => {
    volume.checkRead()
    return store
  }
  return {
    get: (key) => readable().get(key),
    getMany: (keys) => readable().getMany(keys),
    range: (range) => readable().range(range),
    snapshot: () => readable().snapshot(),
    batch: (ops, options) => {
      if (!life.isAlive) return never()
      try {
        volume.checkWrite()
      } catch (error) {
        return Promise.reject(error)
      }
      const death = trap.springs()
      const done = death === 'before' ? never() : store.batch(ops, options)
      if (death === undefined) return done
      life.end()
      onDeath(death)
      return never()
    },
    close: () => store.close(),
  }
}
