import { mkdirSync } from 'node:fs'
import { type Hub, World } from './processes.js'

/** What most tests begin with. */
export interface TwoFolders {
  readonly world: World
  /** Live, and empty. */
  readonly hub: Hub
  /** Two empty folders that nobody syncs yet (absolute). */
  readonly a: string
  readonly b: string
}

/** The caller closes the world. */
export async function twoFolders(): Promise<TwoFolders> {
  const world = new World()
  const hub = await world.hub()
  const [a, b] = [world.path('a'), world.path('b')]
  for (const folder of [a, b]) mkdirSync(folder)
  return { world, hub, a, b }
}
