import type { Clock } from '@tidemark/engine'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFacts = Readonly<Record<string, unknown>>

/** One line an event: a stable name and typed facts. Facts never hold tokens, signatures or queries. */
export interface Logger {
  debug(event: string, facts?: LogFacts): void
  info(event: string, facts?: LogFacts): void
  warn(event: string, facts?: LogFacts): void
  error(event: string, facts?: LogFacts): void
  /** The same log with these facts on every line, e.g. a session's id. */
  child(facts: LogFacts): Logger
}

export interface LoggerOptions {
  readonly clock: Clock
  /** Gets whole lines with their line feed. */
  readonly write: (line: string) => void
  /** Events below are left out. @default 'info' */
  readonly level?: LogLevel
  /** `json`: one object a line; `text`: for a person. @default 'json' */
  readonly format?: 'json' | 'text'
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export function createLogger(options: LoggerOptions, bound: LogFacts = {}): Logger {
  const lowest = LEVELS.indexOf(options.level ?? 'info')
  const log = (level: LogLevel, event: string, facts: LogFacts = {}): void => {
    if (LEVELS.indexOf(level) < lowest) return
    const all = { ...bound, ...facts }
    const time = new Date(options.clock.nowMs()).toISOString()
    options.write(
      options.format === 'text' ? textLine(time, level, event, all) : jsonLine(time, level, event, all),
    )
  }
  return {
    debug: (event, facts) => log('debug', event, facts),
    info: (event, facts) => log('info', event, facts),
    warn: (event, facts) => log('warn', event, facts),
    error: (event, facts) => log('error', event, facts),
    child: (facts) => createLogger(options, { ...bound, ...facts }),
  }
}

/** For tests and embedders that want no log. */
export const silentLogger: Logger = createLogger({ clock: { nowMs: () => 0 }, write: () => undefined })

function jsonLine(time: string, level: LogLevel, event: string, facts: LogFacts): string {
  return `${JSON.stringify({ time, level, event, ...facts }, (_, value: unknown) => plain(value))}\n`
}

function textLine(time: string, level: LogLevel, event: string, facts: LogFacts): string {
  const parts = Object.entries(facts).map(([name, value]) => {
    const fact = plain(value)
    return `${name}=${typeof fact === 'string' && /^[\w.:/@-]+$/.test(fact) ? fact : JSON.stringify(fact)}`
  })
  return `${[time, level.padEnd(5), event, ...parts].join(' ')}\n`
}

/** An error as facts; anything else as it is. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (!(value instanceof Error)) return value
  const code = 'code' in value ? { code: value.code } : {}
  const cause = value.cause === undefined ? {} : { cause: plain(value.cause) }
  return { name: value.name, ...code, message: value.message, ...cause }
}
