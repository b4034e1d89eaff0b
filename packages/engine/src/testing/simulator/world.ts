import { decodeNodeEntry, type NodeEntry, type NodeId, PathError } from '@tidemark/protocol'
import type { UserOp } from '../../core/user-op.js'
import { entryKey, type ViewChange, type ViewEntry } from '../../core/view-entry.js'
import type { SpaceMode } from '../../database/space-database.js'
import type { Refuse } from '../../database/space-refusals.js'
import { decodeEntry } from '../../database/tree-rows.js'
import type { ExchangeMessage } from '../../session/session.js'
import { pathsOf } from './batch.js'
import { Contents } from './contents.js'
import { describe, Ledger, type State } from './ledger.js'
import { Link, type LinkHost } from './link.js'
import type { PlantedBug } from './planted-bugs.js'
import type { SeededRandom } from './random.js'
import { HubMoods } from './refusals.js'
import { rowRange, Site } from './site.js'
import { settle, type Trace } from './trace.js'
import { InvariantViolation, mustHold } from './violation.js'

/** The wall clock at the start of each run: any date does. */
const START_MS = 1_700_000_000_000

export interface WorldOptions {
  readonly random: SeededRandom
  readonly trace: Trace
  readonly bug: PlantedBug | undefined
  readonly encoded: boolean
  readonly entriesPerFrameMax: number
  /** The first site makes members of the others. @default false */
  readonly hasMembers?: boolean | undefined
  /** The first site refuses some of what it is sent. @default false */
  readonly refuses?: boolean
}

/** What a user does, and what must be on the disk afterwards where that can be said. */
export interface UserAct {
  readonly ops: readonly UserOp[]
  /** Path → root or `dir`. */
  readonly disk?: ReadonlyMap<string, string>
}

/** Sites, what joins them, and what is known of all that was ever written. */
export class World implements LinkHost {
  readonly random: SeededRandom
  readonly trace: Trace
  readonly bug: PlantedBug | undefined
  readonly encoded: boolean
  readonly entriesPerFrameMax: number
  readonly hasMembers: boolean
  readonly sites: Site[] = []
  readonly links: Link[] = []
  readonly ledger = new Ledger()
  readonly contents = new Contents()
  readonly #moods: HubMoods | undefined
  nowMs = START_MS
  framesSent = 0
  /** Without those that only carry writes of lost incarnations: these go out with each new session. */
  entriesSent = 0
  #texts = 0
  #violation: Error | undefined
  readonly #unsure = new Set<Site>()
  readonly #timesBack = new Map<Site, number>()
  readonly #frontiers = new Map<Site, ReadonlyMap<string, number>>()

  constructor(options: WorldOptions) {
    this.random = options.random
    this.trace = options.trace
    this.bug = options.bug
    this.encoded = options.encoded
    this.entriesPerFrameMax = options.entriesPerFrameMax
    this.hasMembers = options.hasMembers ?? false
    this.#moods = options.refuses ? new HubMoods(options.random, this) : undefined
  }

  get refuse(): Refuse | undefined {
    return this.#moods?.refuse
  }

  async addSite(mode: SpaceMode, store?: Site['store'], device?: Site['device']): Promise<Site> {
    const site: Site = new Site(
      {
        index: this.sites.length,
        mode,
        random: this.random.fork(),
        bug: this.bug,
        nowMs: () => this.nowMs,
        tookBack: (...all) => this.#moods?.tookBack(site, ...all),
        ...(device ? { device } : {}),
      },
      store,
    )
    this.sites.push(site)
    await site.open()
    return site
  }

  join(a: Site, b: Site): Link {
    const link = new Link([a, b], this)
    this.links.push(link)
    return link
  }

  linksOf(site: Site): Link[] {
    return this.links.filter((link) => link.sites.includes(site))
  }

  newText = (): string => `text ${++this.#texts}`

  sent(from: Site, message: ExchangeMessage): void {
    this.framesSent++
    this.trace.add(`${from.index} says ${said(message)}`)
    if (message.type !== 'entries') return
    const { lost } = from.database
    this.entriesSent += message.entries.filter(
      (entry) => !siblingsOf(entry).every(({ dot }) => lost.has(dot.rid)),
    ).length
    try {
      for (const entry of message.entries) this.ledger.seen(entry)
    } catch (error) {
      this.#violation ??= error as Error
    }
  }

  failed(_link: Link, at: Site, error: Error): void {
    this.#violation ??= new InvariantViolation(
      'SE1',
      `${at.name} ended a session with an honest peer: ${error}`,
    )
  }

  /** Waits until nothing moves without a frame. @throws what an exchange or a commit broke meanwhile. */
  settle(): Promise<void> {
    return settle().then(() => this.checkNothingBroke())
  }

  checkNothingBroke(): void {
    if (this.#violation) throw this.#violation
  }

  /**
   * A user does something, by what the database shows at that moment. Not awaited by the caller, so that it
   * overlaps with what comes next.
   */
  async commit(site: Site, act: (entries: readonly ViewEntry[]) => UserAct): Promise<void> {
    const { life, database, store } = site
    let before: readonly ViewEntry[] = []
    let done: UserAct | undefined
    try {
      const result = await database.commit(async () => {
        before = entriesIn(site, 'synced', store)
        done = act(before)
        return done.ops
      })
      const writes = this.ledger.committed(site.index, result.nodes, site.life !== life)
      this.trace.add(`${site.index} wrote ${writes.map(describe).join(' ')}`)
      const after = applyChanges(before, result.changes)
      if (done?.disk) checkDisk(site.name, after, done.disk)
      await this.contents.committed(result.changes, writes, (id) => database.synced.node(id), after)
    } catch (error) {
      if (!(error instanceof PathError)) this.#violation ??= error as Error
    }
  }

  /** @returns what the site holds. @throws {InvariantViolation} EX6, EX7 */
  checkSite(site: Site): State {
    const { frontier } = site.database
    const state = stateOf(site)
    this.ledger.checkTruth(site.name, state, frontier)
    const before = this.#frontiers.get(site)
    for (const [rid, seq] of before ?? []) {
      const now = frontier.get(rid as never) ?? 0
      mustHold(now >= seq, 'EX7', () => `the frontier of ${site.name} went back from ${rid}:${seq} to ${now}`)
    }
    this.#frontiers.set(site, frontier)
    return state
  }

  /** The site has begun anew. */
  forgot(site: Site): void {
    this.#frontiers.delete(site)
    this.#unsure.add(site)
    this.ledger.doubt(this.sites.filter(({ isOpen }) => isOpen).map(stateOf))
  }

  /** The site is about to be put back to an older state. */
  wentBack(site: Site): void {
    this.#timesBack.set(site, this.timesBack(site) + 1)
    this.#frontiers.delete(site)
    this.#unsure.add(site)
  }

  timesBack(site: Site): number {
    return this.#timesBack.get(site) ?? 0
  }

  /** A database was put back: some writes of an id that it lost may be in nobody's frontier. */
  get isUnsure(): boolean {
    return this.#unsure.size > 0
  }

  /** What this site wrote was never taken from it by an old backup. */
  isSureAuthor(site: Site): boolean {
    return !this.#unsure.has(site)
  }
}

const siblingsOf = (entry: NodeEntry) => [...entry.loc, ...entry.content, ...entry.attr]

function applyChanges(before: readonly ViewEntry[], changes: readonly ViewChange[]): ViewEntry[] {
  const after = new Map(before.map((entry) => [entryKey(entry), entry]))
  for (const change of changes) {
    if (change.after) after.set(change.key, change.after)
    else after.delete(change.key)
  }
  return [...after.values()]
}

/** @throws {InvariantViolation} VW14 */
function checkDisk(who: string, entries: readonly ViewEntry[], expected: ReadonlyMap<string, string>): void {
  // A suffix may lose some letters when a twin that a user typed goes away: nothing else may shift.
  const text = (disk: ReadonlyMap<string, string>): string =>
    [...disk]
      .map(([path, root]) => `${path.replaceAll(LONG_SUFFIX, '$1)')} ${root.slice(0, 8)}`)
      .sort()
      .join('\n')
  const [shown, meant] = [text(pathsOf(entries)), text(expected)]
  mustHold(shown === meant, 'VW14', () => `${who} meant\n${meant}\nand got\n${shown}`)
}

const LONG_SUFFIX = /(\((?:conflict )?[a-z2-7]{8})[a-z2-7]*\)/g

function said(message: ExchangeMessage): string {
  switch (message.type) {
    case 'open':
      return `open after ${message.cursor ? `${message.cursor.run.slice(0, 4)}:${message.cursor.lseq}` : 'nothing'}`
    case 'entries':
      return `entries to ${message.lseq}: ${message.entries.map(({ id }) => id.slice(0, 6)).join(' ')}`
    case 'sync-point':
      return `sync-point ${message.run.slice(0, 4)}:${message.lseq}`
    default:
      return message.type
  }
}

/** Rows that were decoded for a check before. Nobody changes a row, and stores share them. */
const DECODED = new WeakMap<Uint8Array, NodeEntry>()

/** Read past the database: a check must not take part in what it checks. */
export function stateOf(site: Site): State {
  const state = new Map<NodeId, NodeEntry>()
  for (const [, row] of site.store.entries(rowRange('r', 'n'))) {
    const entry = DECODED.get(row) ?? decodeNodeEntry(row)
    DECODED.set(row, entry)
    state.set(entry.id, entry)
  }
  return state
}

/** The view of one of the trees. */
export function entriesIn({ mode, store }: Site, tree: 'received' | 'synced', of = store): ViewEntry[] {
  const prefix = tree === 'synced' && mode === 'bound' ? 'y' : 'r'
  return of.entries(rowRange(prefix, 'e')).map(([, row]) => decodeEntry(row))
}
