import type { Hasher, SpaceBinding } from '@tidemark/engine'
import type { FileSystem } from '@tidemark/folder'

/** A mistake that wraps what a folder is given, so that the product has no switch for it. */
export interface PlantedBug {
  readonly name: string
  files?(files: FileSystem): FileSystem
  space?(space: SpaceBinding, files: FileSystem): SpaceBinding
  hasher?(hasher: Hasher): Hasher
}
