import type { OpenFile } from '@tidemark/folder'
import type { Death, Trap } from './life.js'

export class EndedError extends Error {
  override readonly name = 'EndedError'
}

export interface Mortal {
  /** Whether the program that makes the calls still runs. */
  isAlive(): boolean
  /** The program dies: nothing that it does from now on is carried out. */
  onTrap(death: Death): void
}

/** The calls of a program on a disk, at each of which it may die if the call changes something. */
export class MortalCalls {
  constructor(
    private readonly trap: Trap,
    private readonly program: Mortal,
  ) {}

  /** @throws {EndedError} the program is dead. */
  check(call: string): void {
    if (!this.program.isAlive()) throw new EndedError(call)
  }

  /** @throws {EndedError} the program is dead, or died in this call. */
  change<R>(call: string, carryOut: () => R): R {
    const death = this.#begin(call)
    if (death === undefined) return carryOut()
    try {
      carryOut()
    } catch {
      // It dies as well where the disk says no: nobody hears of it.
    }
    return this.#die(call, death)
  }

  /** As `change`. */
  async changeLater<R>(call: string, carryOut: () => Promise<R>): Promise<R> {
    const death = this.#begin(call)
    if (death === undefined) return carryOut()
    const done = carryOut().catch(() => undefined)
    this.program.onTrap(death)
    await done
    throw new EndedError(call)
  }

  /** @returns how the program dies right after the call, if it does. */
  #begin(call: string): Death | undefined {
    this.check(call)
    const death = this.trap.springs()
    return death === 'before' ? this.#die(call, death) : death
  }

  #die(call: string, death: Death): never {
    this.program.onTrap(death)
    throw new EndedError(call)
  }
}

/** An open file of a program that may die. */
export const mortalFile = (file: OpenFile, calls: MortalCalls): OpenFile => ({
  stat: () => {
    calls.check('fstat')
    return file.stat()
  },
  read: async (...args) => {
    calls.check('read')
    return file.read(...args)
  },
  write: (...args) => calls.changeLater('write', () => file.write(...args)),
  truncate: (size) => calls.change('ftruncate', () => file.truncate(size)),
  sync: async () => {
    calls.check('fsync')
    await file.sync()
  },
  close: () => file.close(),
})
