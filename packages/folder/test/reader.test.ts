import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { onDisk, writerAndReader } from './fixture.js'
import { act, generator } from './random-hands.js'

/** Replay one failure: `TIDEMARK_SEED=…`; look for others: `TIDEMARK_SEEDS=<count>`. */
const SEEDS = process.env.TIDEMARK_SEED
  ? [Number(process.env.TIDEMARK_SEED)]
  : Array.from({ length: Number(process.env.TIDEMARK_SEEDS ?? 3) }, (_, i) => i + 1)
/** What one revert finds changed meanwhile, the next one takes. */
const REVERTS_MAX = 5

/** Texts of all files below, the trash included. */
function textsBelow(directory: string): Set<string> {
  const texts = new Set<string>()
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) for (const text of textsBelow(path)) texts.add(text)
    else if (entry.isFile()) texts.add(fs.readFileSync(path, 'utf8'))
  }
  return texts
}

test.each(SEEDS)(
  '[AC2] random hands on the folder of a reader change nothing elsewhere, and revert leaves no trace (TIDEMARK_SEED=%i)',
  async (seed) => {
    const random = generator(seed)
    const { writer, reader } = await writerAndReader()
    const log: string[] = []
    const settled = () => AbortSignal.timeout(20_000)
    try {
      for (let i = 0; i < 15; i++) log.push(`writer: ${act(writer, random, `writer ${i}`)}`)
      await writer.binding.settled({ signal: settled() })
      // The hub may be about to tell.
      await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(onDisk(writer.directory))
      for (let i = 0; i < 12; i++) {
        log.push(`reader: ${act(reader, random, `reader ${i}`)}`)
        if (random(3) === 0) log.push(`writer: ${act(writer, random, `writer again ${i}`)}`)
        if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(60)))
      }
      const made = [...textsBelow(reader.directory)].filter((text) => text.startsWith('reader'))
      await writer.binding.settled({ signal: settled() })
      fs.writeFileSync(writer.path('last'), 'last')
      await writer.binding.settled({ signal: settled() })
      await expect.poll(() => onDisk(reader.directory).last, { timeout: 20_000 }).toBe('last')
      expect([...textsBelow(writer.directory)].filter((text) => text.startsWith('reader'))).toEqual([])
      for (let n = 0; n < REVERTS_MAX; n++) {
        const { state } = await reader.binding.settled({ signal: settled() })
        log.push(
          `reader is ${state}: ${JSON.stringify(reader.binding.status.problems.map(({ path }) => path))}`,
        )
        if (state === 'idle') break
        await reader.binding.revert()
      }
      expect(onDisk(reader.directory)).toEqual(onDisk(writer.directory))
      expect(reader.binding.status).toMatchObject({ state: 'idle', problems: [] })
      const kept = textsBelow(reader.directory)
      expect(made.filter((text) => !kept.has(text))).toEqual([])
    } catch (error) {
      throw new Error([...log, JSON.stringify(reader.binding.status), String(error)].join('\n'), {
        cause: error,
      })
    }
  },
)
