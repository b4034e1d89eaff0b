import { defineConfig } from 'tsup'

/** Beside the sources: the paths to the command line and to node_modules are relative to this place. */
export default defineConfig({
  entry: [
    'bench/run.ts',
    'bench/huge/writer.ts',
    'bench/huge/reader.ts',
    'bench/limits/bare-sender.ts',
    'bench/limits/bare-store.ts',
  ],
  outDir: 'bench/dist',
  format: 'esm',
  target: 'node20',
  platform: 'node',
  dts: false,
  external: [/^@tidemark\//],
})
