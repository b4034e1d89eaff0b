export { LogBlobStore } from './log-blob-store.js'
export { tcpListener } from './tcp-listener.js'
export { tcpConnection, tcpTransport } from './tcp-transport.js'
