import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { flag, type Invocation } from '../args.js'
import { askControl } from '../control.js'
import { inspectStopped } from '../inspect-stopped.js'
import type { Listed } from '../listing.js'
import { printable } from '../progress.js'
import { statePaths } from '../state-paths.js'

/** Lists a directory of the space as this device sees it. */
export async function runLs(invocation: Invocation): Promise<number> {
  const path = entryPath(invocation)
  print(invocation, (await ask(invocation, 'ls', path)) as Listed[])
  return 0
}

/** Lists every conflict copy and name clash. */
export async function runConflicts(invocation: Invocation): Promise<number> {
  print(invocation, (await ask(invocation, 'conflicts', '')) as Listed[])
  return 0
}

/** Says why a path is in the state that it is in. */
export async function runExplain(invocation: Invocation): Promise<number> {
  const path = entryPath(invocation)
  const lines = await askControl(statePaths(invocation).socket, `/explain?path=${encodeURIComponent(path)}`)
  if (lines === undefined)
    throw new Error('no sync is running for this folder: what it did is forgotten when it ends')
  if (flag(invocation, 'json')) process.stdout.write(`${JSON.stringify(lines)}\n`)
  else if ((lines as string[]).length === 0)
    process.stdout.write(`nothing was done about ${path} since this sync started\n`)
  else for (const line of lines as string[]) process.stdout.write(`${line}\n`)
  return 0
}

/** Copies a file's bytes to standard output, as this device has them. */
export async function runCat(invocation: Invocation): Promise<number> {
  const [folder, path] = invocation.operands as [string, string]
  await pipeline(createReadStream(join(folder, path)), process.stdout, { end: false })
  return 0
}

/** As shells complete it: a slash at the end of a directory is none of its name. */
const entryPath = ({ operands }: Invocation): string => (operands[1] ?? '').replace(/\/+$/, '')

async function ask(invocation: Invocation, what: 'ls' | 'conflicts', path: string): Promise<unknown> {
  const paths = statePaths(invocation)
  const running = await askControl(paths.socket, `/${what}?path=${encodeURIComponent(path)}`)
  return running ?? inspectStopped(paths, what, path)
}

function print(invocation: Invocation, entries: readonly Listed[]): void {
  if (flag(invocation, 'json')) {
    process.stdout.write(`${JSON.stringify(entries)}\n`)
    return
  }
  for (const entry of entries) {
    const mark = entry.kind === 'dir' ? '/' : entry.role === 'main' ? '' : `  [${entry.role}]`
    process.stdout.write(`${printable(entry.path)}${mark}\n`)
  }
}
