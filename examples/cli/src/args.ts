import { parseArgs } from 'node:util'

/** The command line was wrong: the message says how; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface Invocation {
  readonly command: string
  readonly operands: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
}

type OptionKind = 'string' | 'strings' | 'boolean'

interface CommandSyntax {
  readonly usage: string
  /** What it does, in a sentence without a full stop. */
  readonly does: string
  readonly operands: readonly [min: number, max: number]
  readonly options: Readonly<Record<string, OptionKind>>
}

/** What the flags mean, for `--help`. */
const OPTION_HELP: Readonly<Record<string, string>> = {
  port: '--port N          TCP port; 0 takes a free one',
  host: '--host H          address to listen on; default 127.0.0.1, any other needs a token',
  data: "--data DIR        the hub's directory; one hub at a time",
  token: '--token T         secret of the hub; default: the environment variable TIDEMARK_TOKEN',
  tokens:
    '--tokens FILE     more tokens, each with its spaces, to read or to write; JSON, see the README of the hub',
  origin:
    '--origin URL      a web page of this origin may use the hub, such as https://app.example; may be given\n' +
    '                    again; * for any, with a token; default: none may',
  'evict-after-days':
    '--evict-after-days N  days of silence after which nobody waits for a device before what is deleted\n' +
    '                    is forgotten; default 180',
  'keep-unused-days':
    '--keep-unused-days N  days for which bytes are kept that nobody needs any more, for a hub that is put back\n' +
    '                    to a backup; 1 or more, default 30',
  'refuse-name':
    '--refuse-name GLOB  the hub takes no new file or directory of such a name, such as *.exe; may be given again',
  'max-file-bytes': '--max-file-bytes N  the hub takes no larger file',
  's3-bucket':
    '--s3-bucket B     keeps blobs in this bucket of S3, not below DIR; keys as the AWS SDK finds them.\n' +
    '                    One hub a bucket and prefix: where there is another one, nothing is ever deleted',
  's3-endpoint': '--s3-endpoint URL another store than AWS that speaks S3',
  's3-public-endpoint':
    '--s3-public-endpoint URL  where devices reach that store, if elsewhere than the hub does',
  's3-region': '--s3-region R     default: what the environment says, or us-east-1 with --s3-endpoint',
  's3-prefix': '--s3-prefix P/    what every key in the bucket begins with',
  hub: '--hub URL         ws://, wss://, http:// or https:// and the address of the hub',
  space: '--space NAME      which tree of the hub; default "default"',
  state: '--state DIR       where the database is; default DIR/.tidemark/state',
  once: '--once            settles both ways, then ends',
  'max-delete':
    '--max-delete N|P% holds deletions when more entries, or a larger share, go within a minute;\n' +
    '                    default: more than 1,000 entries and more than half of all',
  'limit-up':
    '--limit-up RATE   bytes of files per second to the hub, such as 500K or 1.5M (of 1,024); default: none',
  'limit-down': '--limit-down RATE the same from the hub',
  compression: '--compression MODE of what goes up: auto (where it pays), off, always; default: auto',
  json: '--json            output for programs',
}

/** Every command with its operands and flags: the one place that `--help` and parsing read. */
const COMMANDS: ReadonlyMap<string, CommandSyntax> = new Map<string, CommandSyntax>(
  Object.entries({
    hub: {
      does: 'runs a hub in the foreground until interrupted; logs go to standard error',
      usage:
        'tidemark hub --port N [--host H] --data DIR [--token T] [--tokens FILE] [--origin URL]… [--evict-after-days N] [--keep-unused-days N] [--refuse-name GLOB]… [--max-file-bytes N] [--s3-bucket B [--s3-endpoint URL] …] [--json]',
      operands: [0, 0],
      options: {
        port: 'string',
        host: 'string',
        data: 'string',
        token: 'string',
        tokens: 'string',
        origin: 'strings',
        'evict-after-days': 'string',
        'keep-unused-days': 'string',
        'refuse-name': 'strings',
        'max-file-bytes': 'string',
        's3-bucket': 'string',
        's3-endpoint': 'string',
        's3-public-endpoint': 'string',
        's3-region': 'string',
        's3-prefix': 'string',
        json: 'boolean',
      },
    },
    sync: {
      does: 'keeps DIR the same as a space of a hub until interrupted',
      usage:
        'tidemark sync DIR --hub URL [--token T] [--space NAME] [--state DIR] [--once] [--max-delete N|P%] [--limit-up RATE] [--limit-down RATE] [--compression MODE] [--json]',
      operands: [1, 1],
      options: {
        hub: 'string',
        token: 'string',
        space: 'string',
        state: 'string',
        once: 'boolean',
        'max-delete': 'string',
        'limit-up': 'string',
        'limit-down': 'string',
        compression: 'string',
        json: 'boolean',
      },
    },
    status: {
      does: 'says what the sync of a folder does and waits for, or what the last one said',
      usage: 'tidemark status DIR|--state DIR [--json]',
      operands: [0, 1],
      options: { state: 'string', json: 'boolean' },
    },
    accept: {
      does: 'lets a held plan go',
      usage: 'tidemark accept DIR|--state DIR',
      operands: [0, 1],
      options: { state: 'string' },
    },
    revert: {
      does: 'drops the held local changes: the state of the space comes back',
      usage: 'tidemark revert DIR|--state DIR',
      operands: [0, 1],
      options: { state: 'string' },
    },
    ls: {
      does: 'lists the space, or a directory of it, as this device knows it',
      usage: 'tidemark ls DIR [PATH] [--state DIR] [--json]',
      operands: [1, 2],
      options: { state: 'string', json: 'boolean' },
    },
    cat: {
      does: "prints a file's bytes, as they are on this disk",
      usage: 'tidemark cat DIR PATH [--state DIR]',
      operands: [2, 2],
      options: { state: 'string' },
    },
    conflicts: {
      does: 'lists all conflict copies and name clashes',
      usage: 'tidemark conflicts DIR [--state DIR] [--json]',
      operands: [1, 1],
      options: { state: 'string', json: 'boolean' },
    },
    explain: {
      does: 'says what the running sync did about a path, newest last',
      usage: 'tidemark explain DIR PATH [--state DIR] [--json]',
      operands: [2, 2],
      options: { state: 'string', json: 'boolean' },
    },
  }),
)

/** @throws {UsageError} */
export function parseInvocation(argv: readonly string[]): Invocation {
  const [command, ...rest] = argv
  if (command === '--version' || command === '-V') return { command: 'version', operands: [], options: {} }
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    const about = rest[0]
    if (about !== undefined && !about.startsWith('-')) mustSyntax(about)
    return { command: 'help', operands: about === undefined ? [] : [about], options: {} }
  }
  const syntax = mustSyntax(command)
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  }
  for (const [name, kind] of Object.entries(syntax.options)) {
    options[name] = kind === 'strings' ? { type: 'string', multiple: true } : { type: kind }
  }
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

/** @throws {UsageError} there is none of this name. */
function mustSyntax(command: string): CommandSyntax {
  const syntax = COMMANDS.get(command)
  if (!syntax) throw new UsageError(`no such command: ${command} (tidemark --help lists them)`)
  return syntax
}

export function textOption(invocation: Invocation, name: string): string | undefined {
  const value = invocation.options[name]
  return typeof value === 'string' ? value : undefined
}

export function textOptions(invocation: Invocation, name: string): readonly string[] {
  const values = invocation.options[name]
  return Array.isArray(values) ? values : []
}

/** @throws {UsageError} missing. */
export function mustTextOption(invocation: Invocation, name: string): string {
  const value = textOption(invocation, name)
  if (value === undefined || value === '') {
    throw new UsageError(`--${name} is missing\nusage: ${COMMANDS.get(invocation.command)?.usage}`)
  }
  return value
}

export const flag = (invocation: Invocation, name: string): boolean => invocation.options[name] === true

export function helpText(command?: string): string {
  const syntax = command === undefined ? undefined : COMMANDS.get(command)
  if (syntax) {
    const options = Object.keys(syntax.options).map((name) => `  ${OPTION_HELP[name]}`)
    return `usage: ${syntax.usage}\n\n${syntax.does}\n\n${options.join('\n')}\n`
  }
  const lines = [...COMMANDS.values()].map(({ usage, does }) => `  ${usage}\n      ${does}`)
  return `tidemark: keeps folders the same on every device, through a hub

${lines.join('\n')}

tidemark COMMAND --help says what its options mean; tidemark --version says which version this is

exit codes: 0 done · 1 failed · 2 wrong usage · 3 held, or settled with problems (sync --once), or a part is left, for the hub or the disk, or it stays held (accept, revert) · 130 cut short
`
}
