import { renameSync, writeFileSync } from 'node:fs'

/** Readers see the old text or the new one, never a part. */
export function writeFileAtomically(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, text, { mode: 0o600 })
  renameSync(temporary, path)
}
