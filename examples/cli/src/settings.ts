import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectories } from '@tidemark/engine/node'
import { writeFileAtomically } from './atomic-file.js'

/** What a state directory is bound to; written at the first `sync`, compared at every later one. */
export interface Settings {
  readonly version: 1
  /** Absolute; `null` where the state stands in the folder and moves along with it. */
  readonly folder: string | null
  readonly hub: string
  readonly space: string
}

const FILE = 'settings.json'

/** @throws {Error} the file is there and is no settings file. */
export function readSettings(state: string): Settings | undefined {
  const path = join(state, FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const settings = parse(text)
  if (settings === undefined) throw new Error(`${path} is not a settings file of this version`)
  return settings
}

/**
 * Remembers what a folder is bound to, or checks that it still is.
 * @throws {Error} bound to another hub, space or folder: two spaces would be mixed.
 */
export function bindSettings(state: string, wanted: Omit<Settings, 'version'>): void {
  const known = readSettings(state)
  const next: Settings = { version: 1, ...wanted, hub: normalHub(wanted.hub) }
  if (known === undefined) {
    makeDirectories(state, 0o700)
    writeFileAtomically(join(state, FILE), `${JSON.stringify(next, undefined, 2)}\n`)
    return
  }
  const path = join(state, FILE)
  if (known.space !== next.space) {
    throw new Error(`this folder is bound to space "${known.space}", not "${next.space}": use another folder`)
  }
  if (known.hub !== next.hub) {
    throw new Error(
      `this folder is bound to the hub ${known.hub}, not ${next.hub}: use another folder, or, if the same hub has a new address, change it in ${path}`,
    )
  }
  if (known.folder !== next.folder) {
    throw new Error(
      `this state belongs to the folder ${known.folder}, not ${next.folder}: use another --state, or, if the folder has moved, change it in ${path}`,
    )
  }
}

/** ws and http mean the same hub; so do a path of `/sync` and none. */
export function normalHub(text: string): string {
  const url = new URL(text)
  const scheme = url.protocol.replace(/^http/, 'ws')
  return `${scheme}//${url.host}${url.pathname === '/' ? '/sync' : url.pathname}`
}

function parse(text: string): Settings | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null) return undefined
  const { version, folder, hub, space } = json as Partial<Record<keyof Settings, unknown>>
  if (version !== 1 || typeof hub !== 'string' || typeof space !== 'string') return undefined
  if (folder !== null && typeof folder !== 'string') return undefined
  return { version, folder, hub, space }
}
