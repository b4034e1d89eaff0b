import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openReplica } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { bindFolder } from '@tidemark/folder'
import { parseSpaceName } from '@tidemark/protocol'
import { webSocketTransport } from '@tidemark/transport-ws'
import { TOKEN, World } from '../../test/support/processes.js'
import { GOALS } from '../goals.js'
import { type Figure, median } from '../measure.js'

const FILES_PER_DIRECTORY = 100
const RUNS = 3

/** A folder that is synced is looked at again, all of it, beside a loop that only lists and stats. */
export async function measureRescan(files: number): Promise<Figure[]> {
  const world = new World()
  try {
    const directory = world.path('folder')
    for (let i = 0; i < files; i++) {
      const below = join(directory, `d${Math.floor(i / FILES_PER_DIRECTORY)}`)
      if (i % FILES_PER_DIRECTORY === 0) mkdirSync(below, { recursive: true })
      writeFileSync(join(below, `${i}.txt`), `file ${i}\n`)
    }
    const hub = await world.hub()
    const storage = await openLevelStore(world.path('database'))
    const replica = await openReplica({ storage, platform: nodePlatform })
    replica.connect(webSocketTransport(hub.url), { token: TOKEN })
    const space = await replica.openSpace(parseSpaceName('limits'), { bound: true })
    const folder = await bindFolder(space.binding, directory)
    await folder.settled()
    const [ours, bare]: [number[], number[]] = [[], []]
    for (let run = 0; run < RUNS; run++) {
      const before = performance.now()
      const seen = look(directory)
      const between = performance.now()
      await folder.settled()
      ours.push(performance.now() - between)
      bare.push(between - before)
      if (seen <= files) throw new Error(`${seen} entries, of more than ${files}`)
    }
    await folder.close()
    await replica.close()
    const rateOf = (ms: number[]): number => (files / median(ms)) * 1_000
    return [
      {
        scenario: `a synced folder of ${files} files, scanned again`,
        what: 'rate, and only listed and statted',
        value: rateOf(ours),
        unit: 'files/s',
        limit: rateOf(bare),
        least: GOALS.rescanOfLook,
      },
    ]
  } finally {
    await world.close()
  }
}

/** @returns how many entries there are. */
function look(directory: string): number {
  let count = 0
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    count += 1
    if (name !== '.tidemark' && lstatSync(path).isDirectory()) count += look(path)
  }
  return count
}
