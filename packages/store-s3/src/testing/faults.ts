import type { S3Request } from './s3-request.js'

/** What goes wrong with a request that has come this far. */
export type Fault =
  /** Answers with this and does nothing. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly code: string
      /** Seconds that the answer asks to wait. @default it says nothing */
      readonly retryAfterS?: number
    }
  /** Ends the connection after so many bytes of the request's body. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** Ends the connection after so many bytes of the answer's body. */
  | { readonly kind: 'cut-answer'; readonly afterBytes: number }
  /** Ends the answer's body after so many bytes, as if it had no more; it has no length. */
  | { readonly kind: 'short-answer'; readonly afterBytes: number }
  /** Does what was asked, and ends the connection instead of answering. */
  | { readonly kind: 'drop-answer' }
  /** Never answers, and keeps the connection. */
  | { readonly kind: 'silence' }
  /** Flips the first byte of the answer's body. */
  | { readonly kind: 'wrong-bytes' }

export interface FaultPlan {
  readonly fault: Fault
  /** @default every request */
  readonly method?: string
  /** Requests that are hit, the first ones. @default 1 */
  readonly times?: number
}

/** Faults that wait for their requests. */
export class Faults {
  readonly #plans: { plan: FaultPlan; left: number }[] = []

  add(plan: FaultPlan): void {
    this.#plans.push({ plan, left: plan.times ?? 1 })
  }

  clear(): void {
    this.#plans.length = 0
  }

  /** Each counts as used when it is taken. */
  take(request: S3Request): Fault | undefined {
    const found = this.#plans.find(
      ({ plan, left }) => left > 0 && (plan.method === undefined || plan.method === request.method),
    )
    if (!found) return undefined
    found.left -= 1
    return found.plan.fault
  }
}
