import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** Entry points per package; declarations come from `tsc -b`, which also type-checks. */
const ENTRIES: Record<string, string[]> = {
  'packages/protocol': ['src/index.ts', 'src/memory/index.ts', 'src/conformance/index.ts'],
  'packages/engine': [
    'src/index.ts',
    'src/node/index.ts',
    'src/browser/index.ts',
    'src/testing/index.ts',
    'src/testing/simulator/cli.ts',
  ],
  'packages/folder': ['src/index.ts', 'src/testing/index.ts'],
  'packages/transport-ws': ['src/index.ts', 'src/browser/index.ts'],
  'packages/store-fs': ['src/index.ts'],
  'packages/store-s3': ['src/index.ts', 'src/testing/index.ts'],
  'packages/server-reference': ['src/index.ts'],
  'packages/simulator': ['src/index.ts', 'src/cli.ts'],
  'examples/adapters': ['src/index.ts'],
  'examples/browser': ['src/serve.ts'],
  'examples/cli': ['src/main.ts', 'src/demo.ts'],
}

/** Entry points that a browser loads, each with all that it imports. */
const PAGES: Record<string, string[]> = {
  'examples/browser': ['src/page/main.ts', 'src/page/service-worker.ts'],
}

const named = (dir: string, entries: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    entries.map((entry) => [entry.replace(/^src\//, '').replace(/\.ts$/, ''), `${dir}/${entry}`]),
  )

export default defineConfig([
  ...Object.entries(ENTRIES).map(([dir, entries]) => {
    const manifest = JSON.parse(readFileSync(`${dir}/package.json`, 'utf8')) as {
      dependencies?: Record<string, string>
    }
    return {
      name: dir,
      entry: named(dir, entries),
      outDir: `${dir}/dist`,
      format: 'esm' as const,
      target: 'node20',
      platform: 'node' as const,
      splitting: true,
      sourcemap: true,
      dts: false,
      clean: false,
      external: [...Object.keys(manifest.dependencies ?? {}), 'vitest', /^@tidemark\//],
    }
  }),
  ...Object.entries(PAGES).map(([dir, entries]) => ({
    name: `${dir}, page`,
    entry: named(dir, entries),
    outDir: `${dir}/dist`,
    format: 'esm' as const,
    target: 'es2022',
    platform: 'browser' as const,
    splitting: false,
    minify: true,
    sourcemap: true,
    dts: false,
    clean: false,
    noExternal: [/./],
    esbuildOptions: (options: { conditions?: string[] }) => {
      // From the sources: the other packages are built at the same time.
      options.conditions = ['tidemark-source']
    },
  })),
])
