import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createProgress, type Output } from './progress.js'

function capture(isTTY = false): Output & { text: string; writes: number } {
  return {
    isTTY,
    columns: 30,
    text: '',
    writes: 0,
    write(text: string) {
      this.text += text
      this.writes++
    },
  }
}

describe('progress', () => {
  test('elsewhere than on a terminal each change is one plain line, and a burst is one write', async () => {
    const output = capture()
    const progress = createProgress(output, { json: false })
    progress.note('connected', 'to hub')
    for (const path of ['a', 'b\nc']) progress.event({ type: 'applied', path, detail: '' })
    progress.event({ type: 'scan', path: '', detail: 'nothing to show' })
    progress.event({ type: 'problem', path: 'd', detail: 'EACCES' })
    await delay(5)
    expect(output.text).toBe('connected (to hub)\napplied a\napplied b\\x0ac\nproblem d (EACCES)\n')
    expect(output.writes).toBe(1)
  })

  test('with json each change is one object a line', () => {
    const output = capture()
    const progress = createProgress(output, { json: true })
    progress.event({ type: 'sent', path: 'a "b"', detail: 'x' })
    progress.end()
    expect(JSON.parse(output.text)).toEqual({ event: 'sent', path: 'a "b"', detail: 'x' })
  })

  test('on a terminal one line lives, cut to its width, and problems stay above it', () => {
    const output = capture(true)
    const progress = createProgress(output, { json: false })
    progress.event({ type: 'problem', path: 'odd\u001b[2J', detail: 'fifo' })
    progress.event({ type: 'sent', path: 'x'.repeat(100), detail: '' })
    progress.status({
      state: 'busy',
      connected: true,
      pending: 3,
      detail: '',
      problems: [],
      transfer: { doneBytes: 1, totalBytes: 4 },
    })
    progress.end()
    const [problem, live] = output.text.replaceAll('\r\u001b[2K', '').split('\n')
    expect(problem).toBe('problem odd\\x1b[2J (fifo)')
    expect(live).toBe('busy · 3 to do · 25 % of 0.0 ')
  })
})
