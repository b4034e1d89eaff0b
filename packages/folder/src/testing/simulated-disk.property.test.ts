import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'
import { SimulatedDisk } from './simulated-disk.js'

type Op = readonly [call: string, a: string, b: string, n: number]

const NAMES = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'l/a', 'l']
const name = fc.constantFrom(...NAMES)
const op: fc.Arbitrary<Op> = fc.tuple(
  fc.constantFrom(
    'mkdir',
    'rmdir',
    'rename',
    'link',
    'unlink',
    'symlink',
    'chmod',
    'setMtime',
    'writeNew',
    'readFile',
    'readlink',
    'readdir',
    'open',
    'write',
  ),
  name,
  name,
  fc.nat(3),
)

/** The answer of one call, or the code of its error. */
async function outcome(files: FileSystem, root: string, [call, a, b, n]: Op): Promise<string> {
  const path = `${root}/${a}`
  const bytes = Buffer.from('x'.repeat(n))
  try {
    switch (call) {
      case 'mkdir':
        return String(files.mkdir(path))
      case 'rmdir':
        return String(files.rmdir(path))
      case 'rename':
        return String(files.rename(path, `${root}/${b}`))
      case 'link':
        return String(files.link(path, `${root}/${b}`))
      case 'unlink':
        return String(files.unlink(path))
      case 'symlink':
        return String(files.symlink(b, path))
      case 'chmod': {
        // Through a link it would be a change of what it points at.
        return files.lstat(path)?.kind === 'symlink' ? '' : String(files.chmod(path, n % 2 ? 0o755 : 0o600))
      }
      case 'setMtime':
        return String(files.setMtime(path, 1_600_000_000_000 + n))
      case 'writeNew': {
        const { kind, size, mode } = files.writeNew(path, bytes, { mode: 0o644, mtimeMs: 1_500_000_000_000 })
        return `${kind} ${size} ${mode}`
      }
      case 'readFile':
        return Buffer.from(files.readFile(path)).toString()
      case 'readlink':
        return Buffer.from(files.readlink(path)).toString()
      case 'readdir':
        return files.readdir(path).map(String).sort().join()
      default: {
        const file = files.open(path, call === 'open' ? 'r' : 'rw', 0o644)
        try {
          if (call === 'write') await file.write(n, bytes)
          if (call === 'write' && n === 3) file.truncate(1)
          const { kind } = file.stat()
          return `${kind} ${kind === 'file' ? Buffer.from(await file.read(0, 10)).toString() : ''}`
        } finally {
          await file.close()
        }
      }
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!
  }
}

/** Everything below, with the names that one inode has as the same number. */
function tree(files: FileSystem, root: string): string[] {
  const numbers = new Map<string, number>()
  const walk = (path: string): string[] => {
    const stat = files.lstat(path)!
    if (!numbers.has(stat.ino)) numbers.set(stat.ino, numbers.size)
    const line = `${path.slice(root.length)} ${stat.kind} #${numbers.get(stat.ino)} ${stat.nlink} ${stat.mode.toString(8)}`
    if (stat.kind === 'file') return [`${line} ${Buffer.from(files.readFile(path))}`]
    if (stat.kind === 'symlink') return [`${line} ${stat.size}`]
    const names = files.readdir(path).map(String).sort()
    return [line, ...names.flatMap((each) => walk(`${path}/${each}`))]
  }
  return walk(root)
}

test('it answers every call as the disk of this machine does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 40 }), async (ops) => {
      const real = fs.mkdtempSync(join(tmpdir(), 'tidemark-disk-'))
      const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
      disk.mkdir('/root', 0o700)
      try {
        for (const each of ops) {
          const [expected, actual] = [
            await outcome(nodeFileSystem, real, each),
            await outcome(disk, '/root', each),
          ]
          expect(actual, each.join(' ')).toBe(expected)
        }
        expect(tree(disk, '/root')).toEqual(tree(nodeFileSystem, real))
      } finally {
        fs.rmSync(real, { recursive: true })
      }
    }),
    { numRuns: 300 },
  )
})

describe('a power cut', () => {
  const never = { below: () => 0 }

  test('keeps a beginning of the changes, whatever they were: the tree is one that was there', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(op, { maxLength: 30 }),
        fc.array(fc.nat(), { minLength: 50 }),
        async (ops, dice) => {
          const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
          disk.mkdir('/root')
          await disk.syncAll()
          const names = () => tree(disk, '/root').map((line) => line.split(' ').slice(0, 5).join(' '))
          const seen = new Set([names().join('\n')])
          for (const each of ops) {
            await outcome(disk, '/root', each)
            seen.add(names().join('\n'))
          }
          let at = 0
          disk.powerCut({ below: (below) => dice[at++ % dice.length]! % below })
          // `writeNew` is two changes, of which the second is the time only.
          expect(seen.has(names().join('\n'))).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('takes nothing that was made durable: bytes by fsync of the file, names by fsync of the directory', async () => {
    const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
    disk.mkdir('/d')
    disk.writeNew('/d/kept', Buffer.from('kept'), { mode: 0o644 })
    disk.fsync('/d/kept')
    disk.fsync('/d')
    disk.writeNew('/d/torn', Buffer.from('torn'), { mode: 0o644 })
    disk.powerCut(never)
    expect(disk.readdir('/d').map(String)).toEqual(['kept'])
    expect(Buffer.from(disk.readFile('/d/kept')).toString()).toBe('kept')
  })

  test('gives no stamps back to a file that was made durable, whatever is undone', () => {
    const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
    disk.writeNew('/f', Buffer.from('old'), { mode: 0o644 })
    disk.fsync('/')
    disk.setMtime('/f', 1_600_000_000_000)
    disk.link('/f', '/g')
    disk.chmod('/f', 0o755)
    disk.overwrite('/f', Buffer.from('new'))
    disk.fsync('/f')
    const { mtimeNs, ctimeNs, mode } = disk.lstat('/f')!
    disk.powerCut(never)
    expect(disk.lstat('/g')).toBeUndefined()
    expect(disk.lstat('/f')).toMatchObject({ mtimeNs, ctimeNs, mode, nlink: 1 })
    expect(Buffer.from(disk.readFile('/f')).toString()).toBe('new')
  })

  test('may leave a name whose bytes are lost', () => {
    const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
    disk.writeNew('/new', Buffer.from('bytes'), { mode: 0o644 })
    disk.powerCut({ below: (below) => (below === 4 ? 0 : below - 1) })
    expect(disk.lstat('/new')?.size).toBe(0)
  })

  test('ends every open file', async () => {
    const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
    const file = disk.open('/f', 'rw')
    disk.powerCut(never)
    await expect(file.write(0, Buffer.from('late'))).rejects.toMatchObject({ code: 'EBADF' })
  })
})

test('the number of a thing that is gone is given again, but not while a power cut could bring it back', async () => {
  const disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
  const inoOf = (path: string) => disk.lstat(path)!.ino
  disk.writeNew('/a', new Uint8Array(1), { mode: 0o644 })
  await disk.syncAll()
  const first = inoOf('/a')
  disk.unlink('/a')
  disk.writeNew('/b', new Uint8Array(1), { mode: 0o644 })
  expect(inoOf('/b')).not.toBe(first)
  await disk.syncAll()
  disk.writeNew('/c', new Uint8Array(1), { mode: 0o644 })
  expect(inoOf('/c')).toBe(first)
})

test('a volume that is full refuses to write, and has room when something goes', () => {
  const disk = new SimulatedDisk({ clock: { nowMs: () => 0 }, volumeBytes: 10 })
  disk.writeNew('/a', new Uint8Array(8), { mode: 0o644 })
  expect(disk.room().freeBytes).toBe(2)
  expect(() => disk.writeNew('/b', new Uint8Array(5), { mode: 0o644 })).toThrow('ENOSPC')
  disk.unlink('/a')
  disk.unlink('/b')
  disk.writeNew('/b', new Uint8Array(5), { mode: 0o644 })
})
