/**
 * What `sources` give, one source after the other, while up to `ahead` of those that follow have begun: many
 * short answers cost the time of few.
 */
export async function* inOrder<T>(
  sources: Iterable<AsyncGenerator<T>>,
  ahead: number,
): AsyncGenerator<T, void, undefined> {
  const waiting: { source: AsyncGenerator<T>; first: Promise<IteratorResult<T>> }[] = []
  const rest = sources[Symbol.iterator]()
  const begin = (): void => {
    const next = rest.next()
    if (next.done) return
    const first = next.value.next()
    // Seen when its turn comes, or by nobody, where an earlier one failed.
    first.catch(() => undefined)
    waiting.push({ source: next.value, first })
  }
  for (let i = 0; i < ahead; i++) begin()
  for (let current = waiting.shift(); current; current = waiting.shift()) {
    begin()
    for (let next = await current.first; !next.done; next = await current.source.next()) yield next.value
  }
}
