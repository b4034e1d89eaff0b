import { defineConfig, mergeConfig } from 'vitest/config'
import shared from '../../vitest.config.js'

/** What must be reached by the simulators alone: all that decides, and all that is said. */
const DECIDES = [
  'packages/protocol/src/**/*.ts',
  'packages/engine/src/core/**/*.ts',
  'packages/folder/src/apply/{plan,plan-moves,place-model,pair,components,kept,gather,item,step}.ts',
  'packages/folder/src/local/diff.ts',
]
/** Never run by a simulator: tests, suites for adapters, and what writes a page. */
const APART = ['**/*.test.ts', '**/conformance/**', '**/schema-text.ts', '**/index.ts']

export default mergeConfig(
  { ...shared, test: { ...shared.test, include: [], reporters: [] } },
  defineConfig({
    test: {
      include: ['scripts/simulator-coverage/simulators.run.ts'],
      testTimeout: 3_600_000,
      coverage: {
        enabled: true,
        provider: 'v8',
        reportOnFailure: true,
        include: DECIDES,
        exclude: APART,
        reporter: [['text', { maxCols: 160, skipEmpty: true }], 'json'],
        reportsDirectory: 'coverage/simulators',
      },
    },
  }),
)
