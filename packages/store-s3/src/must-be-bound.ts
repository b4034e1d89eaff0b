/**
 * A header that is not among those that were signed is a wish: whoever holds the URL sends what he likes.
 * @throws {Error} one of `headers` is not signed, or a checksum stands in the query, where nobody checks it.
 *   That is a defect of ours or of the signing library.
 */
export function mustBeBound(url: string, headers: readonly string[]): void {
  const query = [...new URL(url).searchParams].map(([name, value]) => [name.toLowerCase(), value] as const)
  const signed = query.find(([name]) => name === 'x-amz-signedheaders')?.[1].split(';') ?? []
  for (const header of ['host', ...headers]) {
    if (!signed.includes(header)) throw new Error(`grant: ${header} is not bound by the signature`)
  }
  const hoisted = query.find(([name]) => name.startsWith('x-amz-checksum-'))
  if (hoisted) throw new Error(`grant: ${hoisted[0]} stands in the query, where nobody checks it`)
}
