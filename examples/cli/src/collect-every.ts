import { UsageError } from './args.js'

const NAME = 'TIDEMARK_COLLECT_EVERY_MS'

/** @returns what the environment says; `undefined`: nothing. @throws {UsageError} no number of milliseconds. */
export function collectEveryMs(): number | undefined {
  const text = process.env[NAME]
  if (text === undefined || text === '') return undefined
  if (!/^[1-9]\d{1,7}$/.test(text))
    throw new UsageError(`${NAME}=${text}: expected milliseconds, 10 to 99999999`)
  return Number(text)
}
