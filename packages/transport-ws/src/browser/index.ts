export { type Endpoint, parseEndpoint } from '../url.js'
export { type WebSocketTransportOptions, webSocketTransport } from './client.js'
