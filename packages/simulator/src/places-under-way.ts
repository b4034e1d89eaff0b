import type { MemoryKeyValueStore } from '@tidemark/engine'
import { SPACE } from './space.js'

/** What a folder notes before it changes its disk, until it has noted what came of it. */
const JOURNALS = [`s/${SPACE}/b/apply/batch`, `s/${SPACE}/b/apply/unsettled`]

/** Where something is put, or may have been put, of which the folder of this database does not know yet. */
export const placesUnderWay = (storage: MemoryKeyValueStore): readonly string[] =>
  JOURNALS.flatMap((key) => storage.entries({ gte: key, lt: `${key}\0` })).flatMap(([, value]) => {
    const { intents } = JSON.parse(Buffer.from(value).toString()) as { intents: readonly { to?: string }[] }
    return intents.flatMap(({ to }) => to ?? [])
  })
