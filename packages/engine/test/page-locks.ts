import type { StorageOptions } from '../src/browser/open-database.js'

/** Locks of a browser, for tests in Node: one holder a name, others wait until their signal ends. */
export function pageLocks(): NonNullable<StorageOptions['locks']> {
  const held = new Map<string, Promise<unknown>>()
  const request = async (
    name: string,
    { signal }: { signal?: AbortSignal },
    hold: () => Promise<unknown>,
  ): Promise<unknown> => {
    while (held.has(name)) {
      await Promise.race([
        held.get(name),
        new Promise((_, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
        ),
      ])
    }
    const holding = hold().finally(() => held.delete(name))
    held.set(name, holding)
    return holding
  }
  return { request } as NonNullable<StorageOptions['locks']>
}
