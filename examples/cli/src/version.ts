import { readFileSync } from 'node:fs'

/** The version of this package. Sources and bundle both stand one directory below its manifest. */
export function versionText(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return `tidemark ${(JSON.parse(manifest) as { version: string }).version}\n`
}
