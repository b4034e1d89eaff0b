import { defineConfig } from 'tsup'

/** Beside the sources: the paths to the command line and to node_modules are relative to this place. */
export default defineConfig({
  entry: ['bench/run.ts'],
  outDir: 'bench/dist',
  format: 'esm',
  target: 'node20',
  platform: 'node',
  dts: false,
})
