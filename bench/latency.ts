import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { randomOf } from '../test/support/bytes.js'
import { until, World } from '../test/support/processes.js'
import { GOALS } from './goals.js'
import { type Figure, quantile } from './measure.js'

const EDIT_BYTES = 1024

/** From the write on A until B's file has the bytes, seen by looking every millisecond. */
export async function measureLatency(edits: number): Promise<Figure[]> {
  const world = new World()
  try {
    const [a, b] = [world.path('a'), world.path('b')]
    for (const folder of [a, b]) mkdirSync(folder)
    const hub = await world.hub()
    writeFileSync(join(a, 'note.txt'), 'first')
    for (const folder of [a, b]) world.live(folder, hub)
    const arrived = (text: string): boolean => {
      try {
        return readFileSync(join(b, 'note.txt'), 'utf8') === text
      } catch {
        return false
      }
    }
    await until('the first version arrives', () => arrived('first'))
    await delay(1_000)
    const random = randomOf(edits)
    const times: number[] = []
    for (let i = 0; i < edits; i++) {
      const text = `edit ${i} ${random()} `.padEnd(EDIT_BYTES, '.')
      const began = performance.now()
      writeFileSync(join(a, 'note.txt'), text)
      while (!arrived(text)) {
        if (performance.now() - began > 30_000) throw new Error(`edit ${i} did not arrive`)
        await delay(1)
      }
      times.push(performance.now() - began)
      await delay(20 + random() * 60)
    }
    const scenario = `live edit of 1 KiB, ${edits} times`
    return [
      { scenario, what: 'p50', value: quantile(times, 0.5), unit: 'ms', goal: GOALS.liveEditP50Ms },
      { scenario, what: 'p95', value: quantile(times, 0.95), unit: 'ms' },
      { scenario, what: 'max', value: quantile(times, 1), unit: 'ms' },
    ]
  } finally {
    await world.close()
  }
}
