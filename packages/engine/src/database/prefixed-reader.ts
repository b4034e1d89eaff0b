import type { KeyValueReader } from '../ports/key-value-store.js'

/** The rows below `prefix`, under keys without it. */
export function prefixed(kv: KeyValueReader, prefix: string): KeyValueReader {
  return {
    get: (key) => kv.get(prefix + key),
    getMany: (keys) => kv.getMany(keys.map((key) => prefix + key)),
    async *range({ gte, lt }) {
      for await (const page of kv.range({ gte: prefix + gte, lt: prefix + lt })) {
        yield page.map(([key, value]) => [key.slice(prefix.length), value] as const)
      }
    },
  }
}
