import type { Clock, SpaceBinding } from '@tidemark/engine'
import type { FolderEvent } from '../folder-binding.js'
import type { FileSystem } from '../ports/file-system.js'
import type { Problems } from '../problems.js'
import type { RowsStore } from '../rows-store.js'
import type { RefusedFiles } from './refused.js'

/** What the local side of a folder works with. */
export interface PushContext {
  readonly space: SpaceBinding
  readonly rows: RowsStore
  readonly files: FileSystem
  readonly clock: Clock
  /** Absolute path of the bound directory. */
  readonly directory: string
  readonly problems: Problems
  /** What stands on this disk and the hub refused. */
  readonly refused: RefusedFiles
  readonly onEvent: (event: FolderEvent) => void
}
