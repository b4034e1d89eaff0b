import { UsageError } from './args.js'

const FACTORS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** `500K`, `1.5M`: bytes per second, of 1,024. @param option For the error. @throws {UsageError} */
export function parseRate(option: string, text: string): number {
  const parts = /^(\d{1,12}(?:\.\d{1,6})?)([KMG]?)$/i.exec(text)
  const bytes = parts ? Math.floor(Number(parts[1]) * FACTORS[parts[2]!.toUpperCase()]!) : 0
  if (bytes >= 1) return bytes
  throw new UsageError(
    `--${option} ${text}: expected bytes per second, such as 500K or 1.5M; left out, there is no limit`,
  )
}
