import { defineConfig, mergeConfig } from 'vitest/config'
import shared from '../vitest.config.js'

/** Runs that need Chromium: not part of `npm test`. */
export default mergeConfig(
  { ...shared, test: { ...shared.test, include: [] } },
  defineConfig({
    test: { include: ['test-browser/**/*.run.ts'], fileParallelism: false, testTimeout: 60_000 },
  }),
)
