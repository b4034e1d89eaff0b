import type { Clock, SpaceBinding } from '@tidemark/engine'
import type { FolderEvent } from './folder-binding.js'
import type { RefusedFiles } from './local/refused.js'
import type { FileSystem } from './ports/file-system.js'
import type { RowsStore } from './rows-store.js'
import type { IgnoreRules } from './scan/ignore-rules.js'

/** What the remote side of a folder works with. */
export interface ApplyContext {
  readonly space: SpaceBinding
  readonly rows: RowsStore
  readonly files: FileSystem
  readonly clock: Clock
  /** Absolute path of the bound directory. */
  readonly directory: string
  /** Absolute; `.tidemark/staging`, on the same file system. Exists. */
  readonly staging: string
  /** Content that a pass which failed has left in staging: goes when what was under way is settled. */
  readonly abandoned: Set<string>
  /** Absolute; `.tidemark/trash`. Exists. */
  readonly trash: string
  readonly onEvent: (event: FolderEvent) => void
  /**
   * Says that the watcher will report these directories (relative, `''`: the bound one) because of what
   * is done now, and rows say the result: their hints need no rescan unless a row turns out different.
   */
  readonly expectHints: (directories: readonly string[]) => void
  /**
   * Entries at places that they hide are neither created, changed nor removed on disk; what stands there is the
   * user's. What stands where they are not known waits.
   */
  readonly rules: Pick<IgnoreRules, 'isIgnored' | 'unread' | 'made' | 'removed' | 'moved' | 'touched'>
  /** What stands on this disk and the hub refused. */
  readonly refused: RefusedFiles
  /** Whether bytes that are not here can be asked for. */
  readonly isConnected: () => boolean
  /** Whether nothing that was written here is still to reach the hub, which may refuse it. Without a hub: always. */
  readonly isSent: () => boolean
  /** This device may not write: nothing is sent from here. */
  readonly isReadOnly: () => boolean
}
