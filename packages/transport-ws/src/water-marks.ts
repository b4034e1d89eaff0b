import { FRAME_BYTES_MAX } from '@tidemark/protocol'

/** Queued bytes above which `send` answers false. */
export const HIGH_WATER_BYTES = 2 * FRAME_BYTES_MAX
/** Queued bytes below which `drained` resolves. */
export const LOW_WATER_BYTES = FRAME_BYTES_MAX
/** How long a peer may take to answer a close frame before the socket is cut. */
export const CLOSE_TIMEOUT_MS = 2_000
/** RFC 6455: done. */
export const CLOSE_NORMAL = 1000
