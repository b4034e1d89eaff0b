import type { S3Request } from './s3-request.js'
import { headerValue } from './s3-request.js'

/** As in the CORS configuration of a bucket. `*` stands for anything. */
export interface CorsRule {
  readonly AllowedOrigins: readonly string[]
  readonly AllowedMethods: readonly string[]
  readonly AllowedHeaders: readonly string[]
  readonly ExposeHeaders?: readonly string[]
  readonly MaxAgeSeconds?: number
}

/** Headers for a browser: of the answer to a preflight, or of any other. Empty where no rule lets it in. */
export function corsHeaders(request: S3Request, rules: readonly CorsRule[]): Record<string, string> {
  const origin = headerValue(request, 'origin')
  if (origin === undefined) return {}
  const isPreflight = request.method === 'OPTIONS'
  const asked = headerValue(request, 'access-control-request-method')
  const method = isPreflight ? (asked ?? '') : request.method
  const wanted = (headerValue(request, 'access-control-request-headers') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const rule = rules.find(
    ({ AllowedOrigins, AllowedMethods, AllowedHeaders }) =>
      AllowedOrigins.some((pattern) => matches(pattern, origin)) &&
      AllowedMethods.includes(method) &&
      wanted.every((name) => AllowedHeaders.some((pattern) => matches(pattern.toLowerCase(), name))),
  )
  if (!rule) return {}
  const headers: Record<string, string> = { 'access-control-allow-origin': origin, vary: 'Origin' }
  if (rule.ExposeHeaders) headers['access-control-expose-headers'] = rule.ExposeHeaders.join(', ')
  if (!isPreflight) return headers
  headers['access-control-allow-methods'] = rule.AllowedMethods.join(', ')
  if (wanted.length > 0) headers['access-control-allow-headers'] = wanted.join(', ')
  if (rule.MaxAgeSeconds !== undefined) headers['access-control-max-age'] = String(rule.MaxAgeSeconds)
  return headers
}

function matches(pattern: string, text: string): boolean {
  const [before, after] = pattern.split('*') as [string, string?]
  if (after === undefined) return pattern === text
  return text.startsWith(before) && text.endsWith(after) && text.length >= before.length + after.length
}
