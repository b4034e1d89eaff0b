export { type WebSocketTransportOptions, webSocketTransport } from './client.js'
