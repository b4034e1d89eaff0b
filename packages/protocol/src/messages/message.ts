import type {
  GrantPuts,
  Grants,
  Hint,
  Locate,
  Located,
  Need,
  Needed,
  PutInline,
  Stored,
  StoredResult,
  Want,
} from './blobs.js'
import type { Fault, Ping, Pong } from './control.js'
import type { Digest } from './digest.js'
import type { Entries } from './entries.js'
import type { Hello } from './hello.js'
import type { Acks, Members } from './members.js'
import type { Open, Rewind } from './open.js'
import type { Reject } from './reject.js'
import type { SyncPoint } from './sync-point.js'

/** Everything that either end may say. */
export type Message = FromReplica | FromHub
/** What any replica may say to any peer. */
type Symmetric =
  | Hello
  | Open
  | Rewind
  | Entries
  | SyncPoint
  | Members
  | Acks
  | Digest
  | Hint
  | Fault
  | Ping
  | Pong
/** What a replica says to a hub. */
export type FromReplica = Symmetric | Need | GrantPuts | Stored | PutInline | Locate
/** What a hub says to a replica. */
export type FromHub = Symmetric | Needed | Grants | StoredResult | Located | Reject | Want
