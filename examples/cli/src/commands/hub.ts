import { systemClock } from '@tidemark/engine/node'
import { createHub, createLogger } from '@tidemark/server-reference'
import { flag, type Invocation, mustTextOption, textOption, textOptions, UsageError } from '../args.js'
import { collectEveryMs, sweepEveryMs } from '../every-ms.js'
import { openS3Store, s3Options } from '../s3-store.js'
import { untilSignal } from '../signals.js'

/** The reference hub in the foreground, until interrupted. Logs go to standard error. */
export async function runHub(invocation: Invocation): Promise<number> {
  const stop = untilSignal()
  const logger = createLogger({ clock: systemClock, write: (line) => process.stderr.write(line) })
  const host = textOption(invocation, 'host')
  const token = textOption(invocation, 'token') ?? process.env.TIDEMARK_TOKEN
  const tokensFile = textOption(invocation, 'tokens')
  const evictAfterDays = textOption(invocation, 'evict-after-days')
  const keepUnusedDays = textOption(invocation, 'keep-unused-days')
  const fileBytesMax = textOption(invocation, 'max-file-bytes')
  const collectMs = collectEveryMs()
  const sweepMs = sweepEveryMs()
  const dataDirectory = mustTextOption(invocation, 'data')
  const port = parsePort(mustTextOption(invocation, 'port'))
  const s3 = s3Options(invocation)
  await using blobs = s3 && (await openS3Store(s3, logger))
  const hub = await createHub({
    dataDirectory,
    port,
    origins: textOptions(invocation, 'origin'),
    refuseNames: textOptions(invocation, 'refuse-name'),
    ...(fileBytesMax === undefined ? {} : { fileBytesMax: parseBytes('max-file-bytes', fileBytesMax) }),
    ...(blobs === undefined ? {} : { blobs }),
    ...(host === undefined ? {} : { host }),
    ...(token === undefined ? {} : { token }),
    ...(tokensFile === undefined ? {} : { tokensFile }),
    ...(evictAfterDays === undefined
      ? {}
      : { evictAfterDays: parseDays('evict-after-days', evictAfterDays) }),
    ...(keepUnusedDays === undefined
      ? {}
      : { keepUnusedDays: parseDays('keep-unused-days', keepUnusedDays) }),
    ...(collectMs === undefined ? {} : { collectEveryMs: collectMs }),
    ...(sweepMs === undefined ? {} : { sweepEveryMs: sweepMs }),
    logger,
  })
  const { url } = hub
  process.stdout.write(flag(invocation, 'json') ? `${JSON.stringify({ url })}\n` : `hub ready at ${url}\n`)
  await stop.received
  await hub.close()
  return 0
}

function parseDays(option: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`--${option} ${text}: expected a number of days`)
  return Number(text)
}

function parseBytes(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${option} ${text}: expected a number of bytes`)
  return Number(text)
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`--port ${text}: expected 0 to 65535`)
  return port
}
