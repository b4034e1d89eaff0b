import type { TransferLimits } from '@tidemark/engine'
import type { FolderStatus } from '@tidemark/folder'
import { SyncError } from '@tidemark/protocol'
import { flag, type Invocation, mustTextOption, textOption } from '../args.js'
import { type BoundFolder, openBoundFolder } from '../bound-folder.js'
import { parseCompression } from '../compression.js'
import { askControl, serveControl } from '../control.js'
import { controlRoutes } from '../control-routes.js'
import { parseMaxDelete } from '../max-delete.js'
import { OfflineLimit } from '../offline-limit.js'
import { createProgress, type Progress } from '../progress.js'
import { parseRate } from '../rate.js'
import { untilSignal } from '../signals.js'
import { statePaths } from '../state-paths.js'
import { StatusFile } from '../status-file.js'
import { type StatusReport, statusReport } from '../status-report.js'

const EXIT_DONE = 0
const EXIT_FAILED = 1
const EXIT_UNSETTLED = 3
/** A graceful end that takes longer is cut: everything acknowledged is durable without it. */
const CLOSE_TIMEOUT_MS = 1_800
/** `--once` does not wait longer for a hub that it cannot reach. */
const ONCE_OFFLINE_MAX_MS = 30_000

/** Keeps a folder in sync until interrupted; with `--once` settles and ends. */
export async function runSync(invocation: Invocation): Promise<number> {
  const stop = untilSignal()
  const once = flag(invocation, 'once')
  const paths = statePaths(invocation)
  const hub = mustTextOption(invocation, 'hub')
  const space = textOption(invocation, 'space') ?? 'default'
  const maxDelete = textOption(invocation, 'max-delete')
  const limit = maxDelete === undefined ? {} : { maxDelete: parseMaxDelete(maxDelete) }
  const compression = parseCompression(textOption(invocation, 'compression') ?? 'auto')
  const transfers = { limits: limitsOf(invocation), compression }
  await refuseSecond(paths.socket)
  const progress = createProgress(process.stdout, { json: flag(invocation, 'json') })
  const bound = await openBoundFolder({
    paths,
    directory: paths.folder!,
    hub,
    space,
    token: textOption(invocation, 'token') ?? process.env.TIDEMARK_TOKEN,
    transfers,
    folder: {
      watch: !once,
      // Problems are shown from the status, which knows all of them.
      onEvent: (event) => event.type === 'problem' || progress.event(event),
      ...limit,
    },
  })
  const report = (): StatusReport =>
    statusReport(bound.binding.status, { folder: bound.binding.directory, space, hub })
  const statusFile = new StatusFile(paths.statusFile, report)
  const control = await serveControl(paths.socket, controlRoutes({ ...bound, report }))
  const watched = watch(bound, progress, statusFile, `${hub} (space "${space}")`)
  try {
    if (!once) {
      await stop.received
      return EXIT_DONE
    }
    const status = await settleOnce(bound, stop.signal, hub)
    return status.state === 'held' || status.problems.length > 0 ? EXIT_UNSETTLED : EXIT_DONE
  } finally {
    watched.unsubscribe()
    statusFile.write()
    progress.end()
    await control.close()
    if (stop.signal.aborted) cutLater(once ? EXIT_FAILED : EXIT_DONE)
    await bound.close()
  }
}

/** @throws {UsageError} */
function limitsOf(invocation: Invocation): TransferLimits {
  const rate = (option: string): number | undefined => {
    const text = textOption(invocation, option)
    return text === undefined ? undefined : parseRate(option, text)
  }
  return { uploadBytesPerSecond: rate('limit-up'), downloadBytesPerSecond: rate('limit-down') }
}

/** Before anything is created or opened: the lock of the database would say it in other words. */
async function refuseSecond(socket: string): Promise<void> {
  const running = (await askControl(socket, '/status')) as StatusReport | undefined
  if (running) throw new Error(`process ${running.pid} keeps ${running.folder} in sync already`)
}

const wordsOf = (error: Error): string =>
  error instanceof SyncError ? `${error.code}: ${error.message}` : error.message

/** Status and connection, as lines and in the status file. */
function watch(
  bound: BoundFolder,
  progress: Progress,
  file: StatusFile,
  hubText: string,
): { unsubscribe(): void } {
  let state: FolderStatus['state'] | undefined
  let shown = new Set<string>()
  const showProblems = (problems: FolderStatus['problems']): void => {
    const now = new Set<string>()
    for (const { path, cause, detail } of problems) {
      const key = `${cause}\0${path}`
      now.add(key)
      if (!shown.has(key)) progress.event({ type: 'problem', path, detail: `${cause}: ${detail}` })
    }
    shown = now
  }
  const subscription = bound.binding.status$.subscribe((status) => {
    progress.status(status)
    showProblems(status.problems)
    if (status.state === state) file.changed()
    else file.write()
    state = status.state
  })
  let connected = false
  let reason = ''
  subscription.add(
    bound.space.binding.link$.subscribe(({ connected: isConnected, error }) => {
      if (isConnected !== connected) {
        connected = isConnected
        progress.note(connected ? 'connected' : 'disconnected', hubText)
        file.changed()
      }
      if (error === undefined || error.message === reason) return
      reason = error.message
      progress.note('not connected', wordsOf(error))
    }),
  )
  return subscription
}

/** @throws the hub was not reached in time, or it refused, or a signal came. */
async function settleOnce(bound: BoundFolder, interrupted: AbortSignal, hub: string): Promise<FolderStatus> {
  const { binding, space, replica } = bound
  const givenUp = new AbortController()
  let last = ''
  const offline = new OfflineLimit(ONCE_OFFLINE_MAX_MS, () => {
    givenUp.abort(new Error(`no connection to ${hub} within ${ONCE_OFFLINE_MAX_MS / 1000} s${last}`))
  })
  const peers = replica.peers$.subscribe((statuses) => {
    if (statuses.some(({ phase }) => phase === 'open')) offline.open()
    else offline.offline()
  })
  const link = space.binding.link$.subscribe(({ connected, error }) => {
    if (connected) offline.syncPoint()
    if (error === undefined) return
    last = `: ${wordsOf(error)}`
    // A refusal: the next attempt would be refused too.
    if (error instanceof SyncError && error.retry === 'never') givenUp.abort(error)
  })
  try {
    return await binding.settled({ signal: AbortSignal.any([interrupted, givenUp.signal]) })
  } finally {
    offline.end()
    peers.unsubscribe()
    link.unsubscribe()
  }
}

/** Ends the process when its graceful end takes too long; a timer that does not keep it alive. */
function cutLater(exitCode: number): void {
  const timer = setTimeout(() => {
    process.stderr.write('tidemark: the end took too long and was cut\n')
    process.exit(exitCode)
  }, CLOSE_TIMEOUT_MS)
  timer.unref()
}
