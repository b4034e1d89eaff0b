/**
 * Every bound of the protocol: one home, a unit in the name, a reason. Documented in docs/limits.md.
 */
const KIB = 1024
const MIB = 1024 * KIB

/** A frame is decoded whole, so this bounds memory a peer can make us allocate at once. */
export const FRAME_BYTES_MAX = 4 * MIB
/** A batch of entries or inline bytes aims at this size: large enough to amortize, small enough to interleave. */
export const FRAME_BYTES_TARGET = 256 * KIB
/** What every file system that we meet can store. */
export const NAME_BYTES_MAX = 255
/** Deeper trees are refused at the API and reported as problems by the folder. */
export const PATH_DEPTH_MAX = 256
/** Symlink targets, as Linux PATH_MAX. */
export const TARGET_BYTES_MAX = 4096
/** Concurrent values of one register: every member may write to it at once. More are a defect or an attack. */
export const SIBLINGS_MAX = 4_096
/** One node with all that is known of it: a frame holds it beside the messages' own fields. */
export const ENTRY_BYTES_MAX = FRAME_BYTES_MAX - FRAME_BYTES_TARGET
/** Replica ids in one context or vector. */
export const VECTOR_ENTRIES_MAX = 65_536
/** Replica ids of one space that a replica takes in from others; its own have room beside them. */
export const REPLICA_IDS_MAX = 40_960
/** Exceptions in one context; held, pin and copies lists. */
export const DOTS_MAX = 4_096
/** Files up to this size ride with their commit. */
export const INLINE_BYTES_MAX = 64 * KIB
/** One chunk, plain. 4 x the largest average. */
export const CHUNK_BYTES_MAX = 16 * MIB
/** A pack aims at this. */
export const PACK_BYTES_TARGET = 8 * MIB
/** Chunks in one pack: bounds what reading its index allocates. */
export const PACK_CHUNKS_MAX = 16_384
/** One stored blob: the largest chunk and the index behind it. Also the plain bytes of all chunks of a pack. */
export const BLOB_BYTES_MAX = 17 * MIB
/** Ids in one NEED, LOCATE or GRANT message. */
export const IDS_PER_REQUEST_MAX = 4_096
/** Blobs in one LOCATE that gave wrong bytes: the hub reads each of them whole. */
export const DISTRUSTED_BLOBS_MAX = 16
/** One file: 2^50 bytes, so that sums stay exact in a double. */
export const FILE_BYTES_MAX = 2 ** 50
/** Sequence numbers and lseqs stay exact in a double. */
export const SEQ_MAX = Number.MAX_SAFE_INTEGER
/** A session without a frame from the peer for this long is dead. */
export const HEARTBEAT_TIMEOUT_MS = 30_000
export const HEARTBEAT_INTERVAL_MS = 10_000
/** Time from connect to the end of the handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000
/** Channels (spaces) in one session. */
export const CHANNELS_MAX = 1_024
/** Members of one space: devices that may write, and hubs. */
export const MEMBERS_MAX = 4_096
/** So far a list of members of whoever is no hub may be ahead: a hub that went back to a backup missed fewer changes. */
export const EPOCHS_AHEAD_MAX = 1_048_576
/** Bodies in flight to or from the blob store, together. */
export const TRANSFER_BYTES_IN_FLIGHT_MAX = 48 * MIB
/** One ranged download. */
export const DOWNLOAD_RANGE_BYTES_MAX = 2 * MIB
/** How long a grant is valid. */
export const GRANT_TTL_MS = 30 * 60_000
/** How long a hub keeps bytes that it said it has, or told the places of, whatever becomes of them; at least as long. */
export const LEASE_MS = 24 * 3_600_000
/** Fields of one record on the wire, those of later versions included. */
export const FIELDS_MAX = 64
/** One field of a later version that is carried along in an entry. */
export const EXTRA_BYTES_MAX = 16 * KIB
/** Maps and arrays inside each other in a field that we only carry. */
export const NESTING_MAX = 16
/** Levels of manifest nodes: far above what FILE_BYTES_MAX needs. */
export const MANIFEST_HEIGHT_MAX = 16
/** Free text for logs and errors: `agent`, `message`, `code`. */
export const TEXT_BYTES_MAX = 1_024
/** A bearer token: headers of common servers end at 8 KiB. */
export const TOKEN_BYTES_MAX = 8 * KIB
/** Names in one list of features. */
export const FEATURES_MAX = 64
/** URL or header value of a grant. */
export const URL_BYTES_MAX = 8 * KIB
/** Headers that a grant asks for. */
export const GRANT_HEADERS_MAX = 32
/** Entries, or inline chunks, in one frame: each costs more memory decoded than encoded. */
export const ENTRIES_PER_FRAME_MAX = 16_384
/** Modification times: what a JavaScript Date can say, either side of 1970. */
export const MTIME_MS_MAX = 8.64e15

/** Relations between the bounds: a change that breaks one fails at load, not in the field. */
function mustHold(holds: boolean, rule: string): void {
  if (!holds) throw new RangeError(`limits: ${rule}`)
}
mustHold(FRAME_BYTES_TARGET < FRAME_BYTES_MAX, 'a batch fits a frame')
mustHold(INLINE_BYTES_MAX < FRAME_BYTES_TARGET, 'an inline file fits a batch')
mustHold(CHUNK_BYTES_MAX < BLOB_BYTES_MAX, 'the largest chunk and an index fit a blob')
mustHold(PACK_BYTES_TARGET < BLOB_BYTES_MAX, 'a pack fits a blob')
mustHold(BLOB_BYTES_MAX <= TRANSFER_BYTES_IN_FLIGHT_MAX, 'a blob fits the transfer budget')
mustHold(DOWNLOAD_RANGE_BYTES_MAX <= TRANSFER_BYTES_IN_FLIGHT_MAX, 'a range fits the transfer budget')
mustHold(IDS_PER_REQUEST_MAX * 64 < FRAME_BYTES_MAX, 'a list of ids and places fits a frame')
// Of 8 bytes each, with a number of up to 8.
mustHold(
  6 * 16 * REPLICA_IDS_MAX + FRAME_BYTES_TARGET <= FRAME_BYTES_MAX,
  'six vectors and the own ids fit a frame',
)
mustHold(REPLICA_IDS_MAX < VECTOR_ENTRIES_MAX, 'own ids have room in a vector')
mustHold(MEMBERS_MAX <= SIBLINGS_MAX, 'all members may write to one register at once')
mustHold(SIBLINGS_MAX <= DOTS_MAX, 'a context can leave out any siblings')
mustHold(HEARTBEAT_INTERVAL_MS * 2 < HEARTBEAT_TIMEOUT_MS, 'one lost ping is no dead session')
mustHold(GRANT_TTL_MS < LEASE_MS, 'what a grant leads to is there while it is valid')
mustHold(FILE_BYTES_MAX <= SEQ_MAX, 'sizes are exact')
