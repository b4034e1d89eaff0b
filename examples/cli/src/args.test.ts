import { describe, expect, test } from 'vitest'
import { flag, helpText, mustTextOption, parseInvocation, textOption, UsageError } from './args.js'

describe('command line', () => {
  test('operands and options are told apart wherever they stand', () => {
    const invocation = parseInvocation(['sync', '--once', 'dir', '--hub', 'ws://h', '--space=photos'])
    expect(invocation.operands).toEqual(['dir'])
    expect(textOption(invocation, 'hub')).toBe('ws://h')
    expect(textOption(invocation, 'space')).toBe('photos')
    expect(flag(invocation, 'once')).toBe(true)
    expect(flag(invocation, 'json')).toBe(false)
  })

  test.each([
    [['frobnicate'], 'no such command'],
    [['__proto__'], 'no such command'],
    [['help', 'toString'], 'no such command'],
    [['sync'], 'usage: tidemark sync'],
    [['sync', 'a', 'b'], 'usage: tidemark sync'],
    [['sync', 'a', '--frob'], 'usage: tidemark sync'],
    [['cat', 'a'], 'usage: tidemark cat'],
  ])('%j is refused with the usage of the command', (argv, message) => {
    expect(() => parseInvocation(argv)).toThrow(UsageError)
    expect(() => parseInvocation(argv)).toThrow(message)
  })

  test.each(['--version', '-V'])('%s asks for the version', (option) => {
    expect(parseInvocation([option])).toMatchObject({ command: 'version' })
  })

  test('a missing option is named', () => {
    expect(() => mustTextOption(parseInvocation(['sync', 'a']), 'hub')).toThrow('--hub is missing')
  })

  test('help names every command and the exit codes', () => {
    expect(helpText()).toContain('tidemark explain DIR PATH')
    expect(helpText()).toContain('3 held')
  })

  test.each([[['sync', '--help']], [['sync', '-h']], [['help', 'sync']]])(
    '%j explains every option of the command',
    (argv) => {
      const invocation = parseInvocation(argv)
      expect(invocation).toMatchObject({ command: 'help', operands: ['sync'] })
      const help = helpText(invocation.operands[0])
      for (const name of ['hub', 'token', 'space', 'state', 'once', 'max-delete', 'limit-up', 'json']) {
        expect(help).toContain(`  --${name} `)
      }
      expect(help).toContain('  --limit-down RATE')
      expect(help).toContain('  --compression MODE')
      expect(help).not.toContain('undefined')
    },
  )
})
