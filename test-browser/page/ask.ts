/** Has the test do something. @returns its answer. */
export async function ask<T = null>(deed: string, facts: unknown = null): Promise<T> {
  const response = await fetch(`/test/${deed}`, { method: 'POST', body: JSON.stringify(facts) })
  if (!response.ok) throw new Error(`the test answered ${deed} with ${response.status}`)
  return (await response.json()) as T
}

/** Tells the test how it ended. */
export function report(run: () => Promise<Record<string, unknown> | undefined>): void {
  run().then(
    (facts) => facts && ask('end', { facts }),
    (error: Error) =>
      ask('end', { error: `${error.message}\n${error.stack}\n\n${document.body.textContent}` }),
  )
}
