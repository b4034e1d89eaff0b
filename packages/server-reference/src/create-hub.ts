import { PackFormat } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { webSocketListener } from '@tidemark/transport-ws'
import type { HubConfigOptions } from './config.js'
import { type Hub, type HubParts, startHub } from './hub.js'
import { openHubReplica } from './hub-replica.js'
import { type Logger, silentLogger } from './logger.js'

/**
 * Starts a hub with everything embedded: LevelDB, blobs in a directory, WebSockets.
 *
 * @param options.blobs Another store for the blobs, and
 * @param options.refuse what the hub does not take: see `HubParts`.
 * @throws what `startHub` throws.
 */
export function createHub({
  logger,
  blobs,
  refuse,
  ...options
}: HubConfigOptions &
  Partial<Pick<HubParts, 'blobs' | 'refuse'>> & { readonly logger?: Logger }): Promise<Hub> {
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
    ...(refuse ? { refuse } : {}),
  })
}
