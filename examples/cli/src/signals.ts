/** Exit code of a process that a second signal cuts short, as shells count: 128 + SIGINT. */
const CUT_EXIT_CODE = 130

/** SIGHUP: the terminal was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP. A second one ends the process at once: nothing that was
 * acknowledged depends on a graceful end.
 */
export function untilSignal(): { readonly signal: AbortSignal; readonly received: Promise<void> } {
  const controller = new AbortController()
  const received = new Promise<void>((resolve) => {
    const handle = (name: NodeJS.Signals): void => {
      if (controller.signal.aborted) process.exit(CUT_EXIT_CODE)
      controller.abort(new Error(`ended by ${name}`))
      resolve()
    }
    for (const name of SIGNALS) process.on(name, handle)
  })
  return { signal: controller.signal, received }
}
