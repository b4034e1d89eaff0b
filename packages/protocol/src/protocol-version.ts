/**
 * The version of the wire. The major stands in the preamble: another major is another protocol. The minor
 * is negotiated in `hello`: fields and messages are only ever added.
 *
 * History:
 * - 1.0: first version.
 */
export const PROTOCOL_MAJOR = 1
/** Minor versions of this major that we speak: [min, max]. */
export const PROTOCOL_MINORS = [0, 0] as const
