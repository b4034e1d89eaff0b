import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const PAGE = fileURLToPath(new URL('./page', import.meta.url))

/** A script of `page/` with all that it imports, as a browser loads it. */
export async function bundlePage(name: string): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'tidemark-page-'))
  try {
    await build({
      config: false,
      silent: true,
      entry: { [name]: join(PAGE, `${name}.ts`) },
      outDir: out,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      noExternal: [/./],
      splitting: false,
      esbuildOptions: (options) => {
        options.conditions = ['tidemark-source']
        // The suites of ports are written for Vitest.
        options.alias = { vitest: join(PAGE, 'suite.ts') }
      },
    })
    return readFileSync(join(out, `${name}.js`), 'utf8')
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}
