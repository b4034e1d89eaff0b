import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { DatabaseError } from '@tidemark/protocol'
import { errnoOf, nodeFileSystem } from './node-file-system.js'

/** Lock files that this process holds: its own pid in a file says nothing about that. */
const held = new Set<string>()

/** Refusals of link(2) that mean "not on this disk". */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Without links a lock is there before it says whose it is; a process that died in between wrote it long ago. */
const WRITING_MS = 2_000

/** Where a process number means what it means here: folders are shared with other machines and with containers. */
interface Place {
  readonly host: string
  /** Of the kernel, since it started; containers share it. */
  readonly boot?: string
  /** Of process numbers. */
  readonly namespace?: string
}

interface Holder extends Place {
  readonly pid: number
  /** What its database calls its binding of this folder. */
  readonly binding?: string
  /** Ticks since boot at which the process started, where the system tells: pids are used again. */
  readonly started?: string
}

/**
 * Makes this process the only one that works on a folder.
 *
 * @param path Absolute path of the lock file; its directory exists.
 * @param binding Of the database, which is open here and so nowhere else: whoever had it before is dead, wherever it ran.
 * @returns gives the lock back; idempotent.
 * @throws {DatabaseError} LOCKED: a living process, or another binding of this one, has it; or a process of another
 *   machine or container, and nobody here can tell whether that lives: the message says which file to remove if not.
 * @throws system errors: the lock cannot be read, or written.
 */
export function lockFolder(path: string, binding?: string): () => void {
  const here = placeOfThis()
  const own: Holder = {
    pid: process.pid,
    ...startOf(process.pid),
    ...here,
    ...(binding === undefined ? {} : { binding }),
  }
  if (held.has(path)) throw lockedBy(path, own)
  const text = JSON.stringify(own)
  // Complete under its own name first: a lock that can be seen always says who holds it.
  const draft = `${path}.${process.pid}-${hashOf(text)}`
  fs.writeFileSync(draft, text)
  try {
    for (let attempt = 0; !tryPlace(draft, path, text); attempt++) {
      const found = readText(path)
      const holder = holderOf(found)
      if (attempt === 3 || (holder ? mayLive(holder, path, own) : isBeingWritten(path)))
        throw lockedBy(path, holder)
      if (found !== undefined) removeDead(path, found)
    }
  } finally {
    fs.rmSync(draft, { force: true })
  }
  held.add(path)
  return () => {
    if (!held.delete(path)) return
    removeIf(path, text)
  }
}

/** @returns whether it is there now, and was not before. */
function tryPlace(draft: string, path: string, text: string): boolean {
  try {
    fs.linkSync(draft, path)
    return true
  } catch (error) {
    const errno = errnoOf(error) ?? ''
    if (errno === 'EEXIST') return false
    if (!NO_LINKS.has(errno)) throw error
  }
  try {
    fs.writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Another process may have found the same dead lock, and put its own in its place since: who removes a dead lock
 * holds a lock that is named after it.
 */
function removeDead(path: string, text: string): void {
  const unlock = lockFolder(`${path}.${hashOf(text)}`)
  try {
    removeIf(path, text)
  } finally {
    unlock()
  }
}

/** Whoever cannot read what it says leaves it: it may be another's. */
function removeIf(path: string, text: string): void {
  let found: string | undefined
  try {
    found = readText(path)
  } catch {
    return
  }
  if (found === text) fs.rmSync(path, { force: true })
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/**
 * @returns `undefined` if it is not there.
 * @throws system errors.
 */
function readText(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function holderOf(text: string | undefined): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    const isHolder = typeof value === 'object' && value !== null && 'pid' in value && 'host' in value
    const isComplete = isHolder && typeof value.pid === 'number' && typeof value.host === 'string'
    return isComplete ? (value as Holder) : undefined
  } catch {
    return undefined
  }
}

function isBeingWritten(path: string): boolean {
  const stat = fs.statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) < WRITING_MS
}

/** @throws {DatabaseError} LOCKED: it cannot be told from here. */
function mayLive(holder: Holder, path: string, here: Holder): boolean {
  const { host, boot, namespace, binding } = holder
  const isRebooted = boot !== undefined && here.boot !== undefined && boot !== here.boot
  if (isRebooted && host === here.host) return false
  const isKnown = boot !== undefined || host === here.host
  if (isKnown && boot === here.boot && namespace === here.namespace) return isAlive(holder)
  if (binding !== undefined && binding === here.binding) return false
  throw new DatabaseError(
    'LOCKED',
    `process ${holder.pid} of ${host}, another machine or container, keeps this folder in sync; if it does not run any more, remove ${path}`,
  )
}

function placeOfThis(): Place {
  const boot = nodeFileSystem.bootId()
  return { host: hostname(), ...(boot === undefined ? {} : { boot }), ...namespaceOfThis() }
}

function namespaceOfThis(): { namespace?: string } {
  try {
    return { namespace: fs.readlinkSync('/proc/self/ns/pid') }
  } catch {
    // Only Linux has them.
    return {}
  }
}

function isAlive({ pid, started }: Holder): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if (errnoOf(error) !== 'EPERM') return false
  }
  const now = startOf(pid).started
  return started === undefined || now === undefined || started === now
}

function startOf(pid: number): { started?: string } {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Field 22; the second, the name, may hold spaces and ends with the last parenthesis.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return started === undefined ? {} : { started }
  } catch {
    return {}
  }
}

const lockedBy = (path: string, holder: Holder | undefined): DatabaseError => {
  const who = holder ? `process ${holder.pid}` : 'a process'
  return new DatabaseError('LOCKED', `${path}: ${who} keeps this folder in sync already`)
}
