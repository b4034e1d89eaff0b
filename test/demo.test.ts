import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { until } from './support/processes.js'

const DEMO = fileURLToPath(new URL('../examples/cli/dist/demo.js', import.meta.url))

test('the demo shows a file, an edit and a directory rename travelling, and cleans up when interrupted', async () => {
  const child = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  try {
    await until(
      'the demo is live',
      () => lines.some((line) => line.startsWith('Live now')) || child.exitCode !== null,
    )
    expect(lines.join('\n')).toContain('the desktop renamed it too')
    const laptop = lines.find((line) => line.trim().endsWith('/laptop'))?.trim()
    expect(laptop !== undefined && existsSync(laptop)).toBe(true)
    const closed = once(child, 'close')
    child.kill('SIGINT')
    await closed
    expect(child.exitCode).toBe(0)
    expect(existsSync(laptop!)).toBe(false)
  } finally {
    child.kill('SIGKILL')
  }
})
