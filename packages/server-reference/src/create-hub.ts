import { PackFormat } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import type { BlobStore } from '@tidemark/protocol'
import { webSocketListener } from '@tidemark/transport-ws'
import type { HubConfigOptions } from './config.js'
import { type Hub, startHub } from './hub.js'
import { openHubReplica } from './hub-replica.js'
import { type Logger, silentLogger } from './logger.js'

/**
 * Starts a hub with everything embedded: LevelDB, blobs in a directory, WebSockets.
 *
 * @param options.blobs Another store for the blobs, see `HubParts`.
 * @throws what `startHub` throws.
 */
export function createHub({
  logger,
  blobs,
  ...options
}: HubConfigOptions & { readonly logger?: Logger; readonly blobs?: BlobStore }): Promise<Hub> {
  return startHub(options, {
    openStorage: openLevelStore,
    openEngine: openHubReplica(nodePlatform),
    listen: webSocketListener,
    packs: new PackFormat(nodePlatform.hasher, nodePlatform.compressor),
    hasher: nodePlatform.hasher,
    clock: nodePlatform.clock,
    timers: nodePlatform.timers,
    logger: logger ?? silentLogger,
    ...(blobs ? { blobs } : {}),
  })
}
