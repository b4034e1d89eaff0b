import type { MemoryKeyValueStore } from '@tidemark/engine'
import { keyOf } from './shown.js'
import { SPACE } from './space.js'

/** What a folder notes before it changes its disk, until it has noted what came of it. */
const JOURNALS = [`s/${SPACE}/b/apply/batch`, `s/${SPACE}/b/apply/unsettled`]

/** A part of what a journal says of one change. */
interface Intent {
  readonly to?: string
  readonly after?: { readonly entry: { readonly version?: { readonly root: string; readonly size: number } } }
}

export interface PlaceUnderWay {
  readonly path: string
  /** See `contentKey`. */
  readonly key: string
}

/** Where a file is put, or may have been put, of which the folder of this database does not know yet. */
export const placesUnderWay = (storage: MemoryKeyValueStore): readonly PlaceUnderWay[] =>
  JOURNALS.flatMap((key) => storage.entries({ gte: key, lt: `${key}\0` })).flatMap(([, value]) => {
    const { intents } = JSON.parse(Buffer.from(value).toString()) as { intents: readonly Intent[] }
    return intents.flatMap(({ to, after }) => {
      const version = after?.entry.version
      return to === undefined || !version ? [] : { path: to, key: keyOf(version) }
    })
  })
