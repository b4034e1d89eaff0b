import {
  closeSync,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { randomOf } from './support/bytes.js'
import { World } from './support/processes.js'
import { readTree } from './support/trees.js'

const FILES = 300
const DIRECTORIES = 25
const EDITS_PER_SIDE = 200
const SEED = Number(process.env.TIDEMARK_SEED ?? 20_260_101)

/** Every content that a user ever wrote, and those that a user overwrote or deleted with it before their eyes. */
class Ledger {
  readonly written = new Set<string>()
  readonly givenUp = new Set<string>()
}

/**
 * One user on one folder. What an act destroys is read from what was really taken away, so that a file
 * that sync put there a moment earlier counts as seen.
 */
class User {
  #count = 0
  readonly #grave: string

  constructor(
    readonly name: string,
    readonly folder: string,
    readonly ledger: Ledger,
    readonly random: () => number,
    grave: string,
  ) {
    this.#grave = grave
    mkdirSync(grave)
  }

  plant(): void {
    for (let d = 0; d < DIRECTORIES; d++)
      mkdirSync(join(this.folder, this.#directoryName(d)), { recursive: true })
    for (let i = 0; i < FILES; i++) this.#create()
  }

  act(): void {
    try {
      const dice = this.random()
      if (dice < 0.35) this.#edit()
      else if (dice < 0.45) this.#save()
      else if (dice < 0.6) this.#create()
      else if (dice < 0.75) this.#rename()
      else if (dice < 0.87) this.#remove()
      else if (dice < 0.95) this.#moveDirectory()
      else this.#removeDirectory()
    } catch (error) {
      // Live, sync may take a path away between the choice and the act, as from any user.
      const { code } = error as NodeJS.ErrnoException
      if (
        code !== 'ENOENT' &&
        code !== 'ENOTDIR' &&
        code !== 'ENOTEMPTY' &&
        code !== 'EISDIR' &&
        code !== 'EEXIST'
      )
        throw error
    }
  }

  #directoryName(d: number): string {
    return d % 3 === 0 ? `d${d}` : `d${d - (d % 3)}/sub${d}`
  }

  #content(): string {
    const text = `${this.name} ${this.#count++} `
    // Mostly small; some of several chunks.
    return text.repeat(this.random() < 0.04 ? 12_000 : 1 + Math.floor(this.random() * 200))
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)]
  }

  #entries(kind: 'file' | 'dir'): string[] {
    const found: string[] = []
    const walk = (prefix: string): void => {
      for (const name of readdirSync(join(this.folder, prefix)).sort()) {
        if (name === '.tidemark') continue
        const path = prefix === '' ? name : `${prefix}/${name}`
        const stat = lstatSync(join(this.folder, path))
        if (stat.isDirectory()) {
          if (kind === 'dir') found.push(path)
          walk(path)
        } else if (kind === 'file') found.push(path)
      }
    }
    walk('')
    return found
  }

  #freshName(): string {
    return `${this.name}-${this.#count++}.txt`
  }

  #create(): void {
    const directory = this.#pick(['', ...this.#entries('dir')])!
    const text = this.#content()
    writeFileSync(join(this.folder, directory, this.#freshName()), text, { flag: 'wx' })
    this.ledger.written.add(text)
  }

  /** In place: the same inode, as an editor that truncates and writes. */
  #edit(): void {
    const path = this.#pick(this.#entries('file'))
    if (path === undefined) return
    const fd = openSync(join(this.folder, path), 'r+')
    try {
      const before = readFileSync(fd, 'utf8')
      const text = this.#content()
      writeSync(fd, text, 0, 'utf8')
      ftruncateSync(fd, Buffer.byteLength(text))
      this.ledger.givenUp.add(before)
      this.ledger.written.add(text)
    } finally {
      closeSync(fd)
    }
  }

  /** A new inode at the old name. */
  #save(): void {
    const path = this.#pick(this.#entries('file'))
    if (path === undefined) return
    const text = this.#content()
    const temporary = join(this.#grave, `new-${this.#count++}`)
    writeFileSync(temporary, text)
    this.#bury(path)
    renameSync(temporary, join(this.folder, path))
    this.ledger.written.add(text)
  }

  #rename(): void {
    const path = this.#pick(this.#entries('file'))
    const directory = this.#pick(['', ...this.#entries('dir')])!
    if (path !== undefined)
      renameSync(join(this.folder, path), join(this.folder, directory, this.#freshName()))
  }

  #remove(): void {
    const path = this.#pick(this.#entries('file'))
    if (path !== undefined) this.#bury(path)
  }

  #moveDirectory(): void {
    const from = this.#pick(this.#entries('dir'))
    if (from === undefined) return
    const targets = ['', ...this.#entries('dir')].filter((to) => to !== from && !to.startsWith(`${from}/`))
    const to = join(this.folder, this.#pick(targets)!, `${this.name}-dir-${this.#count++}`)
    renameSync(join(this.folder, from), to)
  }

  /** Empty ones, or whole trees when they are small. */
  #removeDirectory(): void {
    const path = this.#pick(this.#entries('dir'))
    if (path === undefined) return
    const full = join(this.folder, path)
    if (readdirSync(full).length === 0) rmdirSync(full)
    else if (readdirSync(full, { recursive: true }).length <= 8) this.#bury(path)
  }

  /** Takes something out of the folder for good, and notes what it was. */
  #bury(path: string): void {
    const grave = join(this.#grave, `${this.#count++}`)
    renameSync(join(this.folder, path), grave)
    for (const text of textsIn(grave)) this.ledger.givenUp.add(text)
  }
}

function textsIn(path: string): string[] {
  if (!lstatSync(path).isDirectory()) return [readFileSync(path, 'utf8')]
  return readdirSync(path)
    .filter((name) => name !== '.tidemark')
    .flatMap((name) => textsIn(join(path, name)))
}

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

async function expectEqualAndNothingLost(
  users: readonly User[],
  hub: { url: string },
  ledger: Ledger,
): Promise<void> {
  const [left, right] = users as [User, User]
  for (let round = 0; round < 3; round++) {
    for (const { folder } of users) expect(await world.once(folder, hub), `seed ${SEED}`).toBe(0)
    if (JSON.stringify(readTree(left.folder)) === JSON.stringify(readTree(right.folder))) break
  }
  expect(readTree(right.folder), `seed ${SEED}`).toEqual(readTree(left.folder))
  const shown = new Set(textsIn(left.folder))
  const lost = [...ledger.written].filter((text) => !shown.has(text) && !ledger.givenUp.has(text))
  expect(
    lost.map((text) => text.slice(0, 20)),
    `seed ${SEED}: lost`,
  ).toEqual([])
  const foreign = [...shown].filter((text) => !ledger.written.has(text))
  expect(
    foreign.map((text) => text.slice(0, 20)),
    `seed ${SEED}: nobody wrote these`,
  ).toEqual([])
}

function makeUsers(ledger: Ledger, random: () => number): [User, User] {
  return ['ann', 'bob'].map((name) => {
    mkdirSync(world.path(name))
    return new User(name, world.path(name), ledger, random, world.path(`grave-${name}`))
  }) as [User, User]
}

test('[NL11] 200 random edits a side, made offline between syncs, end equal with nothing lost', async () => {
  const hub = await world.hub()
  const ledger = new Ledger()
  const [ann, bob] = makeUsers(ledger, randomOf(SEED))
  ann.plant()
  await world.once(ann.folder, hub)
  await world.once(bob.folder, hub)
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < EDITS_PER_SIDE / 4; i++) for (const user of [ann, bob]) user.act()
    for (const user of [ann, bob]) await world.once(user.folder, hub)
  }
  await expectEqualAndNothingLost([ann, bob], hub, ledger)
}, 120_000)

test('[NL11] 200 random edits a side under live sync end equal with nothing lost', async () => {
  const hub = await world.hub()
  const ledger = new Ledger()
  const random = randomOf(SEED + 1)
  const [ann, bob] = makeUsers(ledger, random)
  ann.plant()
  const running = [ann, bob].map(({ folder }) => world.live(folder, hub))
  for (let i = 0; i < EDITS_PER_SIDE; i++) {
    for (const user of [ann, bob]) user.act()
    await delay(random() * 30)
  }
  for (const process of running) expect(await process.stop()).toBe(0)
  expect(existsSync(join(ann.folder, '.tidemark'))).toBe(true)
  await expectEqualAndNothingLost([ann, bob], hub, ledger)
}, 120_000)
