import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** What a page may ask the test to do; what it answers is JSON. */
export type Deeds = Readonly<Record<string, (facts: never) => unknown>>

export interface StageOptions {
  /** A server whose pages are shown, with our script in each. */
  readonly behind?: string
  /** Path → body and type, before what is behind. */
  readonly files: Readonly<Record<string, { readonly type: string; readonly body: string }>>
}

/** The origin that the page under test comes from. The page tells it how the run ended. */
export class Stage {
  readonly #server: Server
  /** Whether the page's own server is there. */
  isUp = true
  deeds: Deeds = {}
  /** Resolves with what the page says at its end. */
  readonly ended: Promise<{ readonly error?: string; readonly facts?: Record<string, unknown> }>

  private constructor(private readonly options: StageOptions) {
    let end: (result: { error?: string }) => void = () => undefined
    this.ended = new Promise((resolve) => {
      end = resolve
    })
    this.#server = createServer((request, response) => {
      this.#answer(request, response, end).catch((error: Error) => {
        end({ error: `${request.url}: ${error.stack}` })
        response.destroy()
      })
    })
  }

  static async start(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options)
    await new Promise<void>((resolve) => stage.#server.listen(0, '127.0.0.1', resolve))
    return stage
  }

  get origin(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    end: (result: { error?: string }) => void,
  ): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://stage').pathname
    const deed = /^\/test\/([\w-]+)$/.exec(path)?.[1]
    if (deed !== undefined) {
      const facts = (await json(request)) as never
      const answer = deed === 'end' ? end(facts) : await this.#mustDeed(deed)(facts)
      send(response, 200, 'application/json', JSON.stringify(answer ?? null))
      return
    }
    if (!this.isUp) {
      response.destroy()
      return
    }
    const file = this.options.files[path]
    if (file) return send(response, 200, file.type, file.body)
    if (this.options.behind === undefined) return send(response, 404, 'text/plain', '')
    const answer = await fetch(this.options.behind + path)
    const type = answer.headers.get('content-type') ?? 'text/plain'
    const policy = answer.headers.get('content-security-policy')
    if (policy !== null) response.setHeader('content-security-policy', policy)
    const body = await answer.text()
    const script = '<script type="module" src="scenario.js"></script></body>'
    send(response, answer.status, type, path === '/' ? body.replace('</body>', script) : body)
  }

  #mustDeed(name: string): (facts: never) => unknown {
    const deed = this.deeds[name]
    if (!deed) throw new Error(`the test has no deed ${name}`)
    return deed
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}
