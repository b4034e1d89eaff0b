import { UsageError } from './args.js'

/** How often acknowledgements go out and what is deleted is forgotten. @throws {UsageError} */
export const collectEveryMs = (): number | undefined => everyMs('TIDEMARK_COLLECT_EVERY_MS')

/** How often a hub looks for bytes that nobody needs any more. @throws {UsageError} */
export const sweepEveryMs = (): number | undefined => everyMs('TIDEMARK_SWEEP_EVERY_MS')

/** @returns what the environment says; `undefined`: nothing. @throws {UsageError} no number of milliseconds. */
function everyMs(name: string): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  if (!/^[1-9]\d{1,7}$/.test(text))
    throw new UsageError(`${name}=${text}: expected milliseconds, 10 to 99999999`)
  return Number(text)
}
