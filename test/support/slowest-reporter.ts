import type { Reporter, TestModule } from 'vitest/node'

const COUNT = 5

/** Names the slowest tests at the end of a run: where the time budget of the suite goes. */
export class SlowestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const timed: { readonly name: string; readonly ms: number }[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const ms = test.diagnostic()?.duration
        if (ms !== undefined) timed.push({ name: `${module.relativeModuleId}: ${test.fullName}`, ms })
      }
    }
    if (timed.length <= COUNT) return
    timed.sort((a, b) => b.ms - a.ms)
    const lines = timed
      .slice(0, COUNT)
      .map(({ name, ms }) => `  ${(ms / 1000).toFixed(1).padStart(6)} s  ${name}`)
    process.stdout.write(`\nThe ${COUNT} slowest tests:\n${lines.join('\n')}\n`)
  }
}
