import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

test('a demo that is interrupted while its processes start, by Ctrl-C on all of them, leaves nothing', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
  const child = spawn(process.execPath, [DEMO], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: { ...process.env, TMPDIR: home },
  })
  try {
    let said = ''
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString()
    })
    await until('it says what it starts', () => said.includes('Starting a hub'))
    // The hub is loading: it has no handler yet, and ends by the signal before the demo looks.
    const closed = once(child, 'close')
    process.kill(-child.pid!, 'SIGINT')
    await closed
    expect(child.exitCode).toBe(0)
    expect(said).not.toContain('unexpectedly')
    expect(readdirSync(home)).toEqual([])
  } finally {
    child.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
})
