import { type Grant, StoreError } from '@tidemark/protocol'

/** What `fetch` takes: bytes that nobody shares. */
export type Body = Uint8Array<ArrayBuffer>

export interface Answer {
  readonly status: number
  readonly isSuccess: boolean
  /** 4xx: the store has understood and does not want to. */
  readonly isRefusal: boolean
  readonly contentRange: string | null
  readonly body: Uint8Array
  /** Status and code of S3, for a person. */
  readonly text: string
}

export interface GrantRequest {
  readonly body: Body | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/** Carries out a grant as a client does. @throws {StoreError} there is no answer. */
export async function sendByGrant(grant: Grant, request: GrantRequest): Promise<Answer> {
  const { body, headers, timeoutMs } = request
  try {
    const response = await fetch(grant.url, {
      method: grant.method,
      headers: { ...grant.headers, ...headers },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body ? { body } : {}),
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    const { status } = response
    const code = status < 300 ? undefined : /<Code>(\w+)<\/Code>/.exec(new TextDecoder().decode(bytes))?.[1]
    return {
      status,
      isSuccess: response.ok,
      isRefusal: status >= 400 && status < 500,
      contentRange: response.headers.get('content-range'),
      body: bytes,
      text: code === undefined ? String(status) : `${status} ${code}`,
    }
  } catch (error) {
    const { message, cause } = error as Error & { readonly cause?: unknown }
    const why = cause instanceof Error ? cause.message : message
    const { origin } = new URL(grant.url)
    throw new StoreError(`blob store: no answer from ${origin}: ${why}`, undefined, { cause: error })
  }
}
