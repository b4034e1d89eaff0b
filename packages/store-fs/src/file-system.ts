import * as promises from 'node:fs/promises'

/** The calls of node:fs/promises that the store makes; a test injects failures here. */
export type FileSystem = Pick<typeof promises, 'open' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'stat'>

export const nodeFileSystem: FileSystem = promises

/** The `code` of a system error, `undefined` for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Resolves to `undefined` where the file or a directory above it does not exist. */
export async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    throw error
  }
}
