import type { FolderEvent, FolderStatus } from '@tidemark/folder'

/** Where lines go; a terminal can rewrite its last one. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Shows what `sync` does. */
export interface Progress {
  /** A fact of the session itself: connected, disconnected, held. */
  note(name: string, text: string): void
  event(event: FolderEvent): void
  status(status: FolderStatus): void
  /** Everything shown so far has reached the output. */
  end(): void
}

/** One live line on a terminal, plain lines elsewhere, objects with `--json`. */
export function createProgress(output: Output, { json }: { readonly json: boolean }): Progress {
  if (json) return new LineProgress(output, jsonLine)
  return output.isTTY ? new TerminalProgress(output) : new LineProgress(output, plainLine)
}

type Format = (type: string, path: string, detail: string) => string

const jsonLine: Format = (type, path, detail) =>
  JSON.stringify({ event: type, ...(path === '' ? {} : { path }), detail })

/** Control characters in names would break lines, or the terminal: they are escaped. */
const plainLine: Format = (type, path, detail) =>
  [type, path === '' ? '' : printable(path), detail === '' ? '' : `(${printable(detail)})`]
    .filter(Boolean)
    .join(' ')

export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** Lines of one turn of the event loop go out in one write: a first sync has thousands. */
class LineProgress implements Progress {
  readonly #output: Output
  readonly #format: Format
  #waiting: string[] = []

  constructor(output: Output, format: Format) {
    this.#output = output
    this.#format = format
  }

  note(name: string, text: string): void {
    this.#push(this.#format(name, '', text))
  }

  event({ type, path, detail }: FolderEvent): void {
    if (type === 'scan') return
    this.#push(this.#format(type, path, detail))
  }

  status(): void {}

  end(): void {
    if (this.#waiting.length === 0) return
    this.#output.write(`${this.#waiting.join('\n')}\n`)
    this.#waiting = []
  }

  #push(line: string): void {
    if (this.#waiting.length === 0) setImmediate(() => this.end())
    this.#waiting.push(line)
  }
}

const CLEAR_LINE = '\r\u001b[2K'
/** Often enough to look alive, rare enough to cost nothing. */
const REDRAW_MS = 100

class TerminalProgress implements Progress {
  readonly #output: Output
  #last = ''
  #status: FolderStatus | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(output: Output) {
    this.#output = output
  }

  note(name: string, text: string): void {
    this.#output.write(`${CLEAR_LINE}${name} ${text}\n`)
    this.#redrawSoon()
  }

  event(event: FolderEvent): void {
    if (event.type === 'scan') return
    if (event.type === 'problem' || event.type === 'held') {
      this.#output.write(`${CLEAR_LINE}${plainLine(event.type, event.path, event.detail)}\n`)
    } else {
      this.#last = `${event.type} ${printable(event.path)}`
    }
    this.#redrawSoon()
  }

  status(status: FolderStatus): void {
    this.#status = status
    this.#redrawSoon()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#draw()
    this.#output.write('\n')
  }

  #redrawSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#draw()
    }, REDRAW_MS)
  }

  #draw(): void {
    const line = this.#status ? liveLine(this.#status, this.#last) : this.#last
    this.#output.write(`${CLEAR_LINE}${line.slice(0, (this.#output.columns ?? 80) - 1)}`)
  }
}

function liveLine({ state, pending, transfer, problems }: FolderStatus, last: string): string {
  const parts: string[] = [state]
  if (pending > 0) parts.push(`${pending} to do`)
  if (transfer.totalBytes > 0) {
    parts.push(
      `${Math.floor((100 * transfer.doneBytes) / transfer.totalBytes)} % of ${mib(transfer.totalBytes)} MiB`,
    )
  }
  if (problems.length > 0) parts.push(`${problems.length} problem(s)`)
  if (last !== '' && state === 'busy') parts.push(last)
  return parts.join(' · ')
}

const mib = (bytes: number): string => (bytes / (1 << 20)).toFixed(1)
