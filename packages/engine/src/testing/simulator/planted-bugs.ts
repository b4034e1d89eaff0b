import type { SpaceDatabase, SpaceDatabaseOptions } from '../../database/space-database.js'
import { SpaceDatabase as RealDatabase } from '../../database/space-database.js'
import type { Random } from '../../ports/random.js'
import { SpaceExchange, type SpaceExchangeOptions } from '../../session/space-exchange.js'

export type PlantedBug = never

export const plantedDatabase = (_bug: PlantedBug | undefined, options: SpaceDatabaseOptions): Promise<SpaceDatabase> =>
  RealDatabase.open(options)
export const plantedRandom = (_bug: PlantedBug | undefined, random: Random, _index: number): Random => random
export const plantedExchange = (_bug: PlantedBug | undefined, options: SpaceExchangeOptions): SpaceExchange =>
  new SpaceExchange(options)
