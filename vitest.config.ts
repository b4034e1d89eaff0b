import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['tidemark-source', 'module', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['tidemark-source', 'module', 'node', 'import', 'default'] } },
  test: {
    include: ['{packages,examples}/*/{src,test}/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    slowTestThreshold: 1_000,
  },
})
