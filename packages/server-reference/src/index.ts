export {
  type Access,
  readTokensFile,
  type Subject,
  TokenAuthenticator,
  type TokenGrant,
} from './auth/token.js'
export { type HubConfig, type HubConfigOptions, isLoopback, resolveHubConfig } from './config.js'
export { createHub } from './create-hub.js'
export { ConfigError } from './errors.js'
export { BlobIndex } from './grants/blob-index.js'
export {
  HubBlobAuthority,
  type HubBlobAuthorityParts,
  type RebuildResult,
} from './grants/hub-blob-authority.js'
export { type BlobAudit, HubBlobs, type HubBlobsParts, type SweepOptions } from './grants/hub-blobs.js'
export type { Locator } from './grants/locator.js'
export { type Hub, type HubParts, startHub } from './hub.js'
export type { HubCounts, HubEngine, HubServices, HubSweep, OpenHubEngine } from './hub-engine.js'
export { type HubPlatform, openHubReplica } from './hub-replica.js'
export {
  createLogger,
  type LogFacts,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  silentLogger,
} from './logger.js'
export type { SweepResult } from './sweep/space-sweep.js'
export { type Counted, Uptime } from './uptime.js'
