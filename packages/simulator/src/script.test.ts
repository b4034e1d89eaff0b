import { describe, expect, test } from 'vitest'
import { fromScriptPath, toScriptPath } from './names.js'
import { formatScript, parseScript, ScriptError } from './script.js'

describe('a script', () => {
  test('is lines of devices and acts, and reads back as it was written', () => {
    const text =
      'seed 7\ndevices ann bob:coarse app:api\nann create a/b\namid ann 7 edit .\ncut bob\npower ann 12\nwait 120'
    const script = parseScript(`# a comment\n${text}  # and another\n\n`)
    expect(formatScript(script)).toBe(text)
    expect(script.devices[1]).toEqual({ name: 'bob', kind: 'coarse' })
    expect(script.acts[0]).toEqual({ verb: 'create', args: ['ann', 'a/b'] })
    expect(script.acts[1]).toEqual({ verb: 'amid', args: ['ann', '7', 'edit', '.'] })
    expect(script.acts[2]).toEqual({ verb: 'cut', args: ['bob'] })
  })

  test.each([
    'ann create a',
    'devices ANN',
    'devices ann:tape',
    'seed x\ndevices ann',
    'devices ann\nnonsense',
  ])('that says nothing known is refused: %j', (text) => expect(() => parseScript(text)).toThrow(ScriptError))

  test('calls copies by number, whatever their tags are', () => {
    const namesIn = (directory: string) =>
      directory === '' ? ['x.txt', 'x (b).txt', 'x (a).txt', 'd', 'd (c)'] : ['y (z) (q)', 'y (k)', 'y#1.txt']
    expect(toScriptPath('x (b).txt', namesIn)).toBe('x.txt#2')
    expect(toScriptPath('d (c)/y (z) (q)', namesIn)).toBe('d#1/y#2')
    expect(fromScriptPath('d#1/y#2', namesIn)).toBe('d (c)/y (z) (q)')
    expect(fromScriptPath('x.txt#3', namesIn)).toBeUndefined()
    expect(fromScriptPath('d/new', namesIn)).toBe('d/new')
  })
})
