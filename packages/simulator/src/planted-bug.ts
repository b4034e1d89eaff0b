import type { BlobAuthority, Hasher, SpaceBinding } from '@tidemark/engine'
import type { FileSystem, OpenWatcher } from '@tidemark/folder'

/** A mistake that wraps what a folder or the hub is given, so that the product has no switch for it. */
export interface PlantedBug {
  readonly name: string
  /** What the program does, in one sentence. */
  readonly about: string
  files?(files: FileSystem): FileSystem
  space?(space: SpaceBinding, files: FileSystem): SpaceBinding
  hasher?(hasher: Hasher): Hasher
  watcher?(open: OpenWatcher): OpenWatcher
  /** The hub's word on bytes. */
  authority?(authority: BlobAuthority): BlobAuthority
}

/** As an object of the class, but for the methods that are given. */
export function withMethods<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, property) {
      const other: unknown = Reflect.get(methods, property)
      if (other !== undefined) return other
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
