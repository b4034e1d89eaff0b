export { type WebSocketTransportOptions, webSocketTransport } from './client.js'
export { type WebSocketListenerOptions, webSocketListener } from './server.js'
