import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { DatabaseError } from '@tidemark/protocol'
import { errnoOf } from './node-file-system.js'

/** Lock files that this process holds: its own pid in a file says nothing about that. */
const held = new Set<string>()

interface Holder {
  readonly pid: number
  /** Ticks since boot at which the process started, where the system tells: pids are used again. */
  readonly started?: string
}

/**
 * Makes this process the only one that works on a folder.
 *
 * @param path Absolute path of the lock file; its directory exists.
 * @returns gives the lock back; idempotent.
 * @throws {DatabaseError} LOCKED: a living process, or another binding of this one, has it.
 */
export function lockFolder(path: string): () => void {
  if (held.has(path)) throw lockedBy(path, process.pid)
  const own: Holder = { pid: process.pid, ...startOf(process.pid) }
  // Complete under its own name first: a lock that can be seen always says who holds it.
  const draft = `${path}.${process.pid}`
  fs.writeFileSync(draft, JSON.stringify(own))
  try {
    for (let attempt = 0; !tryLink(draft, path); attempt++) {
      const text = readText(path)
      const holder = holderOf(text)
      if (holder && isAlive(holder)) throw lockedBy(path, holder.pid)
      if (attempt === 3) throw lockedBy(path, holder?.pid ?? 0)
      if (text !== undefined) removeDead(path, text)
    }
  } finally {
    fs.rmSync(draft, { force: true })
  }
  held.add(path)
  return () => {
    if (!held.delete(path)) return
    if (holderOf(readText(path))?.pid === process.pid) fs.rmSync(path, { force: true })
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
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
  const unlock = lockFolder(`${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
  try {
    if (readText(path) === text) fs.rmSync(path, { force: true })
  } finally {
    unlock()
  }
}

/** @returns `undefined` if it is not there. */
function readText(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    // What cannot be read says nothing.
    return errnoOf(error) === 'ENOENT' ? undefined : ''
  }
}

function holderOf(text: string | undefined): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    const isHolder = typeof value === 'object' && value !== null && 'pid' in value
    return isHolder && typeof value.pid === 'number' ? (value as Holder) : undefined
  } catch {
    return undefined
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

const lockedBy = (path: string, pid: number): DatabaseError =>
  new DatabaseError('LOCKED', `${path}: process ${pid} keeps this folder in sync already`)
