import type { KeyValueStore } from '@tidemark/engine'
import type { BlobStore } from '@tidemark/protocol'
import type { SweepWorld } from './sweep-world.js'

/** Stores that change only with these calls. */
const WRITES: ReadonlySet<string | symbol> = new Set(['batch', 'put', 'delete'])

/** Dies at one of its writes; what it began then goes on or does not, and nobody hears of it. */
export function mortal(world: SweepWorld, calls: number, isAfter: boolean): Promise<void> {
  let left = calls
  let isDead = false
  return new Promise((died) => {
    world.around = <S extends KeyValueStore | BlobStore>(store: S): S =>
      new Proxy(store, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function' || !WRITES.has(name)) {
            return typeof value === 'function' ? value.bind(target) : value
          }
          return async (...args: unknown[]): Promise<unknown> => {
            if (isDead) return new Promise(() => undefined)
            if (left-- > 0) return value.apply(target, args)
            isDead = true
            if (isAfter) await value.apply(target, args)
            died()
            return new Promise(() => undefined)
          }
        },
      })
  })
}

/** Each call takes a turn or a few, so that whatever runs beside it comes in between. */
export function slow(world: SweepWorld): void {
  let turns = 0
  world.around = <S extends KeyValueStore | BlobStore>(store: S): S =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (!WRITES.has(name) && !['getMany', 'stat', 'read'].includes(String(name)))
          return value.bind(target)
        return async (...args: unknown[]): Promise<unknown> => {
          for (let i = 0; i < (turns++ * 7) % 4; i++) await new Promise((done) => setImmediate(done))
          return value.apply(target, args)
        }
      },
    })
}
