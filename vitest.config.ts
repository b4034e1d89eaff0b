import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import { SlowestReporter } from './test/support/slowest-reporter.js'

/** Sources of the other packages, not their builds: a test never sees an older build. */
const conditions = ['tidemark-source', 'node', 'import', 'default']

/** Run where a server of that kind is named: `.ci/run` starts one. */
const REAL_S3 = 'packages/store-s3/test/real-server.test.ts'
const REAL_EVENTS = 'test/real-store-events.test.ts'
const { TIDEMARK_S3_BUCKET: bucket, TIDEMARK_S3_KIND: kind } = process.env

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{packages,examples}/*/{src,test}/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [
      ...configDefaults.exclude,
      ...(bucket === undefined ? [REAL_S3] : []),
      ...(kind === 'radosgw' ? [] : [REAL_EVENTS]),
    ],
    pool: 'forks',
    // Tests of real processes mostly wait: fewer would leave a small machine idle.
    maxWorkers: Math.max(2, availableParallelism()) + 1,
    // Said by every process that loads the SDK; see docs/decisions/0018.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    slowTestThreshold: 1_000,
    reporters: ['default', new SlowestReporter()],
  },
})
