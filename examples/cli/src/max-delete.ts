import { UsageError } from './args.js'

/**
 * `N`: more than N deletes are held; `P%`: deletes of more than that share of the folder are.
 * @throws {UsageError}
 */
export function parseMaxDelete(text: string): { count: number; share: number } {
  const share = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)
  if (share && Number(share[1]) <= 100) return { count: 0, share: Number(share[1]) / 100 }
  if (/^\d{1,9}$/.test(text)) return { count: Number(text), share: 0 }
  throw new UsageError(`--max-delete ${text}: expected a number of entries or a share such as 20%`)
}
