import { COLLECT_EVERY_MS } from '@tidemark/engine'
import type { Vector } from '@tidemark/protocol'
import { ApiDevice } from './api-device.js'
import { crossedRows } from './crossed-rows.js'
import { FileUser } from './file-user.js'
import type { FolderDevice } from './folder-device.js'
import { historyOf, ownWritesOf, tombstonesOf } from './frontier.js'
import { shownWithoutBytes, toldFiles, toldWithoutBytes } from './hub-bytes.js'
import { brief } from './ledger.js'
import { contentKey, isFile, keyOf } from './shown.js'
import type { Rule } from './simulation-error.js'
import { TrashWatch } from './trash-watch.js'
import { unmarkedEntries } from './unmarked-entries.js'
import type { World } from './world.js'

/** Time within which all is equal and idle once nobody disturbs it, milliseconds. */
export const PATIENCE_MS = 15 * 60_000
/** The same where watch events were lost: the hourly scan finds what they told of. */
const PATIENCE_DEAF_MS = 75 * 60_000
const HEAL_STEP_MS = 5_000
/** More than a frame takes there and back, milliseconds. */
const ANSWER_MS = 1_000
/** What a program needs to read all files, milliseconds. */
const READING_MS = 2 * 60_000
/** Rounds of acknowledgements until what is deleted is forgotten everywhere, and nobody has more to say. */
const ROUNDS_MAX = 12
/** After that nobody says anything for this long, milliseconds: longer than from one round to the next. */
const SILENCE_MS = 2.5 * COLLECT_EVERY_MS
/** Messages until all is equal and idle, once nobody disturbs it: in all, and for each device and entry. */
const HEAL_MESSAGES_MAX = 1_500
const HEAL_MESSAGES_PER_ENTRY_MAX = 40
const SHOWN_MAX = 8

/** Ends the run. */
export type Fail = (rule: Rule, detail: string) => never

/** Compares what devices do with what was asked of them, as the run goes and in the end. */
export class Oracle {
  readonly #frontiers = new Map<string, Vector>()
  /** How each disk was when all on it was known. */
  readonly #seen = new Map<FolderDevice, number>()
  /** What stood in directories when they were closed: path → text. */
  readonly #hidden = new Map<FolderDevice, Map<string, string>>()
  readonly #trash = new TrashWatch()

  constructor(
    private readonly world: World,
    private readonly fail: Fail,
    private readonly patienceMs: number,
  ) {}

  /** No file that is seen, on a disk that changed, is torn or unknown. Cheap: after every step. */
  checkVisible(): void {
    for (const device of this.world.folders) {
      const { changes } = device.disk
      if (this.#seen.get(device) === changes) continue
      this.#seen.set(device, changes)
      for (const [path, text] of Object.entries(device.tree())) {
        if (isFile(text) && !this.world.ledger.known.has(text))
          this.fail('strange', `${device.name} shows ${brief(text)} at ${path}: nobody wrote that`)
      }
    }
  }

  /** To be told when directories were closed or opened: notes what stands in them, as others show it too and nobody threw away. */
  noteDenied(): void {
    const { folders } = this.world
    for (const device of folders) {
      if (device.troubles.denied.size === 0) {
        this.#hidden.delete(device)
        continue
      }
      const hidden = this.#hidden.get(device) ?? new Map<string, string>()
      this.#hidden.set(device, hidden)
      const others = folders.filter((other) => other !== device)
      for (const [path, text] of Object.entries(device.tree())) {
        if (!isFile(text) || !device.isDenied(path) || hidden.has(path)) continue
        const isKnown = others.some((other) => other.tree()[path] === text)
        const isThrownAway = others.some((other) => other.trash().has(text))
        if (isKnown && !isThrownAway) hidden.set(path, text)
      }
    }
  }

  /**
   * What could not be seen is not absent: nothing that stands in a directory which its device may not enter
   * was thrown away elsewhere meanwhile. (What a user moved there just before is not known to stand there, and
   * its old place may be filled or empty for everybody. What is replaced by another version comes again as a
   * conflict copy, maybe when its bytes can be had: of a device that is not done nothing is known.) To be asked
   * before such directories are opened again.
   */
  checkDenied(): void {
    const { folders, ledger } = this.world
    for (const device of folders) {
      if (device.troubles.denied.size === 0) continue
      const tree = device.tree()
      const hidden = [...(this.#hidden.get(device) ?? [])].filter(
        ([path, text]) => tree[path] === text && !ledger.givenUp.has(text) && !ledger.hasMoved(text),
      )
      for (const other of folders) {
        if (other === device || !other.isIdle()) continue
        const trash = other.trash()
        const seen = new Set(Object.values(other.tree()))
        for (const [path, text] of hidden) {
          if (trash.has(text) && !seen.has(text))
            this.fail(
              'unseen',
              `${other.name} threw away ${brief(text)}, which ${device.name} has at ${path}`,
            )
        }
      }
    }
  }

  /** What a program threw away stays in its trash. */
  checkTrash(): void {
    for (const device of this.world.folders) {
      if (this.world.thrownBack.has(device.name)) this.#trash.forget(device)
      const emptied = this.#trash.emptied(device, this.world.time.monotonicMs())
      if (emptied.length > 0) this.fail('emptied', `${device.name} has no more of ${list(emptied)}`)
    }
  }

  /**
   * What the hub tells of it has, unless its database went back. (What programs write without a folder is
   * theirs to serve until the hub has it.)
   */
  async checkHub(): Promise<void> {
    const { hub, mayLackBytes, devices } = this.world
    if (mayLackBytes || devices.some((device) => device instanceof ApiDevice)) return
    const files = await toldWithoutBytes(hub.storage)
    if (files.length > 0)
      this.fail('empty', `the hub has nothing of ${list(files.map(({ root }) => root.slice(0, 8)))}`)
  }

  /**
   * What rules hide is its owner's: no database knows of it. Precondition: nobody laid hands on rules.
   */
  checkTold(): void {
    const { hub, devices, secrets } = this.world
    if (secrets.size === 0) return
    const textOf = new Map([...secrets].map((text) => [contentKey(text), text]))
    for (const { name, storage } of [{ name: 'the hub', storage: hub.storage }, ...devices]) {
      const told = toldFiles(storage).flatMap((file) => textOf.get(keyOf(file)) ?? [])
      if (told.length > 0) this.fail('told', `${name} knows of ${list(told.map(brief))}`)
    }
  }

  /** Where all is well the hub has the bytes of what it shows: others read them from it. */
  async checkHubsBytes(): Promise<void> {
    const files = await shownWithoutBytes(this.world.hub.storage)
    if (files.length > 0)
      this.fail(
        'empty',
        `in the end the hub has nothing of ${list(files.map(({ root }) => root.slice(0, 8)))}`,
      )
  }

  /** Nothing is gone from everywhere that nobody gave up. */
  async checkKept(): Promise<void> {
    const { devices, ledger } = this.world
    const missing = new Set(ledger.owed)
    for (const device of devices) {
      for (const text of await device.holds([...missing])) missing.delete(text)
    }
    // Programs and people went on while it was looked: what was given up meanwhile is nobody's any more.
    const lost = ledger.owed.filter((text) => missing.has(text))
    if (lost.length > 0) this.fail('lost', list(lost.map(brief)))
  }

  /** One row a place, and one place a row. */
  checkRows(): void {
    for (const { name, storage } of this.world.folders) {
      const crossed = crossedRows(storage)
      if (crossed.length > 0) this.fail('crossed', `${name}: ${list(crossed)}`)
    }
  }

  /** What a folder shows otherwise than the space does it knows to look at. */
  async checkMarks(): Promise<void> {
    for (const { name, storage } of this.world.folders) {
      const unmarked = await unmarkedEntries(storage)
      if (unmarked.length > 0) this.fail('unmarked', `${name}: ${list(unmarked)}`)
    }
  }

  /** No replica has forgotten what it had, unless its database, or that of the hub, went back. */
  async checkFrontiers(): Promise<void> {
    const { hub, devices, thrownBack, hasOldHub } = this.world
    for (const name of thrownBack) this.#frontiers.delete(name)
    thrownBack.clear()
    for (const [name, storage] of [
      ['hub', hub.storage] as const,
      ...devices.map((device) => [device.name, device.storage] as const),
    ]) {
      const now = await historyOf(storage)
      if (!now) continue
      const { frontier, lost } = now
      for (const [rid, seq] of this.#frontiers.get(name) ?? []) {
        // What only one had that begins anew is in nobody's frontier any more: it is written again. And where the
        // hub went back, a replica claims no more than what is left to show.
        if ((frontier.get(rid) ?? 0) < seq && !lost.has(rid) && !hasOldHub)
          this.fail('frontier', `${name} had ${seq} of ${rid}, has ${frontier.get(rid)}`)
      }
      this.#frontiers.set(name, frontier)
    }
  }

  /** Precondition: the world is healed. Nobody disturbs, and all becomes well, in time and in peace. */
  async becomesWell(): Promise<void> {
    const { world } = this
    const before = world.hub.messages
    const boundMs = world.hasLostEvents ? PATIENCE_DEAF_MS : this.patienceMs
    // At first many do not know yet what broke last.
    let waitedMs = 0
    do {
      if (waitedMs > boundMs) this.fail('unequal', await this.#differences())
      await world.time.pass(HEAL_STEP_MS)
      world.throwAwayWhatIsPrivate()
      // What was refused before may be said just now.
      for (const folder of world.folders) folder.tryAgain()
      if (world.hasOldDatabases) for (const folder of world.folders) await folder.acceptFolder()
      if (world.hasOldHub && waitedMs > this.patienceMs / 2) await this.#putBack()
      waitedMs += HEAL_STEP_MS
      this.checkVisible()
      await this.checkMarks()
    } while (!(await this.#isWell()))
    const entries = Object.keys(await world.devices[0]!.shown()).length
    const bound = HEAL_MESSAGES_MAX + world.devices.length * entries * HEAL_MESSAGES_PER_ENTRY_MAX
    const said = world.hub.messages - before
    if (said > bound) this.fail('talkative', `${said} messages, ${bound} are enough`)
    if (world.hub.trusting.length > 0) this.fail('trusting', list(world.hub.trusting))
    await this.#forgetsDeletions()
    await this.#fallsSilent()
    await this.#readsBack()
  }

  /**
   * A hub that went back may show what everybody who had it has overwritten or deleted since, and nobody holds any
   * more. Somebody has a copy elsewhere, and puts it into a folder.
   */
  async #putBack(): Promise<void> {
    const { world } = this
    const { devices, folders, ledger, sites } = world
    const keys = new Set((await shownWithoutBytes(world.hub.storage)).map(keyOf))
    if (keys.size === 0) return
    const texts = [...ledger.givenUp].filter((text) => keys.has(contentKey(text)))
    const held = new Set<string>()
    for (const device of devices) for (const text of await device.holds(texts)) held.add(text)
    const user = sites.get(folders[0]?.name ?? '')?.user
    if (!(user instanceof FileUser)) return
    for (const text of texts) if (!held.has(text)) user.putBack(text)
  }

  async #isWell(): Promise<boolean> {
    const { devices } = this.world
    if (!devices.every((device) => device.isIdle())) return false
    const trees = await Promise.all(devices.map(async (device) => JSON.stringify(await device.shown())))
    return trees.every((tree) => tree === trees[0])
  }

  /** All tell each other what they have applied, and collect. */
  async #forgetsDeletions(): Promise<void> {
    const { hub, time } = this.world
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const before = hub.messages
      await time.pass(COLLECT_EVERY_MS)
      if (hub.messages === before) break
    }
  }

  /**
   * Nobody remembers what is deleted. Precondition: the hub did not go back: where a device does too, nobody knows
   * any more that its writes are lost.
   */
  async checkForgotten(): Promise<void> {
    const { hub, devices } = this.world
    for (const [name, storage] of [
      ['the hub', hub.storage] as const,
      ...devices.map((device) => [device.name, device.storage] as const),
    ]) {
      const count = await tombstonesOf(storage)
      if (count > 0) this.fail('remembered', `${name} remembers ${count} deleted things`)
    }
  }

  /** No audit had anything to put right. */
  async checkAudits(): Promise<void> {
    const count = await this.world.hub.repaired()
    if (count > 0) this.fail('repaired', `an audit brought ${count} things back to the hub`)
  }

  async #fallsSilent(): Promise<void> {
    const { hub, time } = this.world
    // An answer may be on its way.
    await time.pass(ANSWER_MS)
    const before = hub.messages
    await time.pass(SILENCE_MS)
    if (hub.messages > before) this.fail('noisy', `${hub.messages - before} messages while all were idle`)
    if (!(await this.#isWell())) this.fail('unequal', `not for long: ${await this.#differences()}`)
  }

  /**
   * What nobody gave up is seen, and not only in somebody's trash. (A power cut may leave it where its user had
   * put it for a moment, outside the folder.) Precondition: no database went back: what
   * only a database knew that went back is in doubt.
   */
  async checkShown(): Promise<void> {
    const seen = new Set(this.world.folders.flatMap((device) => [...device.texts()]))
    const unseen = this.world.ledger.owed.filter((text) => !seen.has(text))
    if (unseen.length > 0) this.fail('unseen', list(unseen.map(brief)))
  }

  /** Where nobody did anything, nothing was written. Precondition: no database went back, or was copied. */
  async checkAsked(): Promise<void> {
    for (const { device, user } of this.world.sites.values()) {
      if (!(user instanceof FileUser) || user.hasActed) continue
      const count = await ownWritesOf(device.storage)
      if (count > 0)
        this.fail('unasked', `${device.name} wrote ${count} times, and nobody did anything there`)
    }
  }

  /**
   * What somebody overwrote or deleted, having seen it, does not come back, unless whoever wrote it could not know
   * that it had arrived before it was away for too long. Precondition: no database went back, and no power cut undid
   * what users did.
   */
  async checkStale(): Promise<void> {
    const shown = new Set(this.world.folders.flatMap((device) => Object.values(device.tree())))
    const done = [...shown].filter((text) => this.world.ledger.isDone(text))
    if (done.length === 0) return
    const excused = await this.world.cutOff.keys()
    const stale = done.filter((text) => !excused.has(contentKey(text)))
    if (stale.length > 0) this.fail('stale', list(stale.map(brief)))
  }

  /** Programs without a folder get the bytes of every file. */
  async #readsBack(): Promise<void> {
    for (const device of this.world.devices) {
      if (!(device instanceof ApiDevice)) continue
      const strange: string[] = []
      let isRead = false
      device.begin(
        async (space) => {
          for await (const { path, entry } of space.walk()) {
            if (entry.kind !== 'file') continue
            const text = Buffer.from(await space.readFile(path)).toString()
            if (!this.world.ledger.known.has(text)) strange.push(`${path} ${brief(text)}`)
          }
          isRead = true
          return 'read'
        },
        () => undefined,
      )
      await this.world.time.pass(READING_MS)
      if (!isRead) this.fail('unequal', `${device.name} cannot read all files`)
      if (strange.length > 0) this.fail('strange', `${device.name} read ${list(strange)}: nobody wrote that`)
    }
  }

  async #differences(): Promise<string> {
    const { devices } = this.world
    const shown = await Promise.all(devices.map((device) => device.shown()))
    const paths = new Set(shown.flatMap((tree) => Object.keys(tree)))
    const different = [...paths].filter((path) => shown.some((tree) => tree[path] !== shown[0]![path]))
    const lines = devices.map((device, i) => {
      const state = device.isIdle() ? 'idle' : device.explain()
      const has = different.map((path) => `${path} ${shown[i]![path]?.replace(HASH, '$1') ?? '-'}`)
      return `${device.name}: ${list(has)}; ${state}`
    })
    return `not equal and idle:\n${lines.join('\n')}`
  }
}

const list = (items: readonly string[]): string =>
  items.length > SHOWN_MAX
    ? `${items.slice(0, SHOWN_MAX).join(', ')} and ${items.length - SHOWN_MAX} more`
    : items.join(', ')

/** Of a file's bytes: its beginning tells them apart. */
const HASH = /([0-9a-f]{8})[0-9a-f]{56}/
