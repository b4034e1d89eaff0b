export { type WebSocketTransportOptions, webSocketTransport } from './client.js'
export { type WebSocketListenerOptions, webSocketListener } from './server.js'
export { type Endpoint, parseEndpoint } from './url.js'
