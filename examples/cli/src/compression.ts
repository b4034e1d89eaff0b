import type { Compression } from '@tidemark/engine'
import { UsageError } from './args.js'

const MODES: readonly string[] = ['auto', 'off', 'always'] satisfies Compression[]

/** @throws {UsageError} */
export function parseCompression(text: string): Compression {
  if (MODES.includes(text)) return text as Compression
  throw new UsageError(`--compression ${text}: expected one of ${MODES.join(', ')}`)
}
