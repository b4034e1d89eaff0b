export * from './bytes.js'
export {
  decodeContext,
  decodeDots,
  decodeVector,
  encodeContext,
  encodeDots,
  encodeVector,
} from './codec/flat.js'
export { decodeMessage, encodeMessage } from './codec/message-codec.js'
export {
  decodeNodeEntry,
  encodeAttrSibling,
  encodeContentSibling,
  encodeLocSibling,
  encodeNodeEntry,
  rememberEncoding,
} from './codec/node-entry-codec.js'
export { joinExtra } from './codec/schema.js'
export * from './context.js'
export * from './dot.js'
export * from './errors.js'
export * from './fault.js'
export * from './hlc.js'
export * from './ids.js'
export * from './limits.js'
export * from './messages/blobs.js'
export * from './messages/control.js'
export * from './messages/digest.js'
export * from './messages/entries.js'
export * from './messages/hello.js'
export * from './messages/members.js'
export * from './messages/message.js'
export * from './messages/open.js'
export * from './messages/reject.js'
export * from './messages/sync-point.js'
export * from './names.js'
export * from './negotiate.js'
export * from './node-entry.js'
export * from './ports/blob-store.js'
export * from './ports/transport.js'
export * from './preamble.js'
export * from './protocol-version.js'
