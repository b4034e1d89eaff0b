import { parseArgs } from 'node:util'

/** The command line was wrong: the message says how; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface Invocation {
  readonly command: string
  readonly operands: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
}

type OptionKind = 'string' | 'boolean'

interface CommandSyntax {
  readonly usage: string
  readonly operands: readonly [min: number, max: number]
  readonly options: Readonly<Record<string, OptionKind>>
}

/** Every command with its operands and flags: the one place that `--help` and parsing read. */
export const COMMANDS: Readonly<Record<string, CommandSyntax>> = {
  hub: {
    usage: 'tidemark hub --port N [--host H] --data DIR [--token T] [--json]',
    operands: [0, 0],
    options: { port: 'string', host: 'string', data: 'string', token: 'string', json: 'boolean' },
  },
  sync: {
    usage:
      'tidemark sync DIR --hub URL [--token T] [--space NAME] [--state DIR] [--once] [--max-delete N|P%] [--json]',
    operands: [1, 1],
    options: {
      hub: 'string',
      token: 'string',
      space: 'string',
      state: 'string',
      once: 'boolean',
      'max-delete': 'string',
      json: 'boolean',
    },
  },
  status: {
    usage: 'tidemark status DIR|--state DIR [--json]',
    operands: [0, 1],
    options: { state: 'string', json: 'boolean' },
  },
  accept: { usage: 'tidemark accept DIR|--state DIR', operands: [0, 1], options: { state: 'string' } },
  revert: { usage: 'tidemark revert DIR|--state DIR', operands: [0, 1], options: { state: 'string' } },
  ls: {
    usage: 'tidemark ls DIR [PATH] [--state DIR] [--json]',
    operands: [1, 2],
    options: { state: 'string', json: 'boolean' },
  },
  cat: { usage: 'tidemark cat DIR PATH [--state DIR]', operands: [2, 2], options: { state: 'string' } },
  conflicts: {
    usage: 'tidemark conflicts DIR [--state DIR] [--json]',
    operands: [1, 1],
    options: { state: 'string', json: 'boolean' },
  },
  explain: {
    usage: 'tidemark explain DIR PATH [--state DIR] [--json]',
    operands: [2, 2],
    options: { state: 'string', json: 'boolean' },
  },
}

/** @throws {UsageError} */
export function parseInvocation(argv: readonly string[]): Invocation {
  const [command, ...rest] = argv
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    return { command: 'help', operands: [], options: {} }
  }
  const syntax = COMMANDS[command]
  if (!syntax) throw new UsageError(`no such command: ${command}`)
  const options: Record<string, { type: OptionKind }> = { help: { type: 'boolean' } }
  for (const [name, type] of Object.entries(syntax.options)) options[name] = { type }
  let parsed: ReturnType<typeof parseArgs>
  try {
    parsed = parseArgs({ args: rest, options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nusage: ${syntax.usage}`)
  }
  if (parsed.values.help === true) return { command: 'help', operands: [command], options: {} }
  const [min, max] = syntax.operands
  if (parsed.positionals.length < min || parsed.positionals.length > max) {
    throw new UsageError(`usage: ${syntax.usage}`)
  }
  return {
    command,
    operands: parsed.positionals,
    options: parsed.values as Invocation['options'],
  }
}

export function textOption(invocation: Invocation, name: string): string | undefined {
  const value = invocation.options[name]
  return typeof value === 'string' ? value : undefined
}

/** @throws {UsageError} missing. */
export function mustTextOption(invocation: Invocation, name: string): string {
  const value = textOption(invocation, name)
  if (value === undefined || value === '') {
    throw new UsageError(`--${name} is missing\nusage: ${COMMANDS[invocation.command]?.usage}`)
  }
  return value
}

export const flag = (invocation: Invocation, name: string): boolean => invocation.options[name] === true

export function helpText(command?: string): string {
  const syntax = command === undefined ? undefined : COMMANDS[command]
  if (syntax) return `usage: ${syntax.usage}\n`
  const lines = Object.values(COMMANDS).map((entry) => `  ${entry.usage}`)
  return `tidemark: keeps folders the same on every device, through a hub\n\n${lines.join('\n')}

exit codes: 0 done · 1 failed · 2 wrong usage · 3 held, or settled with problems (sync --once)
`
}
