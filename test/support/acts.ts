import {
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { brief } from './ledger.js'
import type { Act, User } from './user.js'

/** What people do all day. */
export const EVERYDAY: readonly Act[] = [
  { name: 'edit', weight: 35, run: edit },
  { name: 'save', weight: 10, run: save },
  { name: 'create', weight: 15, run: create },
  { name: 'rename', weight: 15, run: rename },
  { name: 'remove', weight: 12, run: remove },
  { name: 'move directory', weight: 8, run: moveDirectory },
  { name: 'remove directory', weight: 5, run: removeDirectory },
]

/** All that, and what is hard to tell apart from outside. */
export const WILD: readonly Act[] = [
  { name: 'edit', weight: 20, run: edit },
  { name: 'save', weight: 8, run: save },
  { name: 'save beside', weight: 8, run: saveBeside },
  { name: 'write slowly', weight: 6, run: writeSlowly },
  { name: 'create', weight: 14, run: create },
  { name: 'create a shared name', weight: 3, run: createSharedName },
  { name: 'rename', weight: 12, run: rename },
  { name: 'rename three times', weight: 5, run: renameThreeTimes },
  { name: 'change case', weight: 4, run: changeCase },
  { name: 'rename over', weight: 3, run: renameOver },
  { name: 'copy over', weight: 3, run: copyOver },
  { name: 'swap', weight: 3, run: swap },
  { name: 'remove', weight: 9, run: remove },
  { name: 'directory for file', weight: 4, run: directoryForFile },
  { name: 'make directory', weight: 2, run: makeDirectory },
  { name: 'copy directory', weight: 2, run: copyDirectory },
  { name: 'move directory', weight: 5, run: moveDirectory },
  { name: 'remove directory', weight: 4, run: removeDirectory },
]

/** In place: the same inode. */
async function edit(user: User): Promise<void> {
  const path = user.pick(user.files())
  if (path === undefined) return
  await overwrite(user, path, user.newText())
}

/** From the start, then cut: between the two the file ends with what it had there. */
function overwrite(user: User, path: string, text: string): Promise<void> {
  return writeInto(user, path, text, (fd, before) => {
    writeSync(fd, text, 0, 'utf8')
    user.ledger.passed(text + before.slice(text.length))
    ftruncateSync(fd, text.length)
  })
}

/** In place, with the bytes of another file: half of the time of one in the same directory, a conflict copy say. */
async function copyOver(user: User): Promise<void> {
  const files = user.files()
  const to = user.pick(files)
  if (to === undefined) return
  const beside = files.filter((path) => path !== to && dirname(path) === dirname(to))
  const from = user.pick(user.random() < 0.5 ? beside : files)
  if (from === undefined || from === to) return
  const text = readFileSync(user.absolute(from), 'utf8')
  await overwrite(user, to, text)
}

/** In place, emptied first, in two parts with pauses. */
async function writeSlowly(user: User): Promise<void> {
  const path = user.pick(user.files())
  if (path === undefined) return
  const text = user.newText()
  const half = Math.floor(text.length / 2)
  await writeInto(user, path, text, async (fd) => {
    user.ledger.passed('')
    user.ledger.passed(text.slice(0, half))
    ftruncateSync(fd, 0)
    await delay(user.random() * 60)
    writeSync(fd, text.slice(0, half), 0, 'utf8')
    await delay(user.random() * 60)
    writeSync(fd, text.slice(half), half, 'utf8')
  })
}

/** What is overwritten is what the descriptor had, wherever sync has put that file meanwhile. */
async function writeInto(
  user: User,
  path: string,
  text: string,
  write: (fd: number, before: string) => void | Promise<void>,
): Promise<void> {
  const fd = openSync(user.absolute(path), 'r+')
  try {
    const before = readFileSync(fd, 'utf8')
    user.note(`${path}: ${brief(before)} -> ${brief(text)}`)
    user.ledger.gaveUp(before)
    await write(fd, before)
    if (isShownAt(user, path, fd)) user.ledger.wrote(text)
    else user.ledger.wroteUnseen(text, user.folder)
  } finally {
    closeSync(fd)
  }
}

function isShownAt(user: User, path: string, fd: number): boolean {
  const now = lstatSync(user.absolute(path), { throwIfNoEntry: false })
  return now?.ino === fstatSync(fd).ino
}

function save(user: User): void {
  const path = user.pick(user.files())
  if (path !== undefined) user.replace(path, user.newText())
}

/** The old file to a backup, the new one in its place, the backup away. */
function saveBeside(user: User): void {
  const path = user.pick(user.files())
  if (path === undefined) return
  const text = user.newText()
  user.rename(path, `${path}~`)
  user.write(path, text)
  user.bury(`${path}~`)
}

function create(user: User): void {
  user.write(user.freshPath(), user.newText())
}

/** Names that others use too. */
function createSharedName(user: User): void {
  const path = join(user.anyDirectory(), `shared-${Math.floor(user.random() * 6)}`)
  user.write(path, user.newText())
}

function rename(user: User): void {
  const path = user.pick(user.files())
  if (path !== undefined) user.rename(path, user.freshPath())
}

function renameThreeTimes(user: User): void {
  const path = user.pick(user.files())
  if (path === undefined) return
  let at = path
  for (let i = 0; i < 3; i++) {
    const to = user.freshPath()
    user.rename(at, to)
    at = to
  }
}

function changeCase(user: User): void {
  const path = user.pick([...user.files(), ...user.directories()])
  if (path === undefined) return
  const cut = path.lastIndexOf('/') + 1
  const name = path.slice(cut)
  const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase()
  const to = path.slice(0, cut) + other
  if (!existsSync(user.absolute(to))) user.rename(path, to)
}

function renameOver(user: User): void {
  const files = user.files()
  const [from, to] = [user.pick(files), user.pick(files)]
  if (from !== undefined && to !== undefined && from !== to) user.rename(from, to)
}

function swap(user: User): void {
  const files = user.files()
  const [a, b] = [user.pick(files), user.pick(files)]
  if (a === undefined || b === undefined || a === b) return
  const between = user.freshName()
  user.rename(a, between)
  user.rename(b, a)
  user.rename(between, b)
}

function remove(user: User): void {
  const path = user.pick(user.files())
  if (path !== undefined) user.bury(path)
}

/** A directory in place of a file, which goes into it; half of the time also back. */
function directoryForFile(user: User): void {
  const path = user.pick(user.files())
  if (path === undefined) return
  const [aside, inside] = [user.freshName(), join(path, user.freshName())]
  user.rename(path, aside)
  mkdirSync(user.absolute(path))
  user.rename(aside, inside)
  if (user.random() < 0.5) return
  user.rename(inside, aside)
  rmdirSync(user.absolute(path))
  user.rename(aside, path)
}

function makeDirectory(user: User): void {
  mkdirSync(user.absolute(join(user.anyDirectory(), user.freshName())))
}

/** Equal bytes at two places. */
function copyDirectory(user: User): void {
  const from = user.pick(user.directories())
  if (from === undefined || countBelow(user, from) > 12) return
  const to = user.freshName()
  cpSync(user.absolute(from), user.absolute(to), { recursive: true })
  user.note(`${from} => ${to}`)
}

function moveDirectory(user: User): void {
  const from = user.pick(user.directories())
  if (from === undefined) return
  const targets = ['', ...user.directories()].filter((to) => to !== from && !to.startsWith(`${from}/`))
  user.rename(from, join(user.pick(targets)!, `${user.freshName()}-dir`))
}

/** An empty one, or a whole tree when it is small. */
function removeDirectory(user: User): void {
  const path = user.pick(user.directories())
  if (path === undefined) return
  const count = countBelow(user, path)
  if (count === 0) rmdirSync(user.absolute(path))
  else if (count <= 8) user.bury(path)
}

const countBelow = (user: User, path: string): number =>
  readdirSync(user.absolute(path), { recursive: true }).length
