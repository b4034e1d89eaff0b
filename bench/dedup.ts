import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { World } from '../test/support/processes.js'
import { startProxy } from '../test/support/proxy.js'
import type { Figure } from './measure.js'

/** Two versions of a package of the npm registry, `name@version`. */
export interface Versions {
  readonly before: string
  readonly after: string
}

/** Bytes that the first version took, and the second one on top of it. */
interface Sent {
  readonly first: number
  readonly second: number
}

type Tool = (folders: { readonly before: string; readonly after: string }, scratch: string) => Promise<Sent>

const KIB = 1024

/**
 * What two versions of a package that follow each other cost, unpacked and as one tar without compression: bytes that
 * a device and a hub say to each other, both ways; that rsync does; that a repository of restic or casync grows by.
 */
export async function measureDedup(versions: Versions): Promise<Figure[]> {
  const world = new World()
  const figures: Figure[] = []
  try {
    const unpacked = {
      before: fetchPackage(versions.before, world.path('before')),
      after: fetchPackage(versions.after, world.path('after')),
    }
    const tars = {
      before: tarOf(unpacked.before, world.path('before-tar')),
      after: tarOf(unpacked.after, world.path('after-tar')),
    }
    for (const [form, folders] of [['unpacked', unpacked] as const, ['one tar', tars] as const]) {
      const scenario = `dedup ${versions.before} → ${versions.after}, ${form}`
      figures.push({ scenario, what: 'its size', value: treeBytes(folders.after) / KIB, unit: 'KiB' })
      for (const [name, tool] of Object.entries(TOOLS)) {
        const command = name.split(' ')[0]!
        if (command !== 'tidemark' && spawnSync(command, ['--version']).error) continue
        const { first, second } = await tool(folders, world.path(`${form}-${name}`.replaceAll(' ', '-')))
        figures.push({ scenario, what: `${name}: first version`, value: first / KIB, unit: 'KiB' })
        figures.push({ scenario, what: `${name}: second version`, value: second / KIB, unit: 'KiB' })
      }
    }
    return figures
  } finally {
    await world.close()
  }
}

const TOOLS: Readonly<Record<string, Tool>> = {
  tidemark: async ({ before, after }, scratch) => {
    const world = new World()
    try {
      const folder = join(scratch, 'folder')
      mkdirSync(scratch, { recursive: true })
      const proxy = await startProxy(await world.hub())
      const once = async (version: string): Promise<number> => {
        replace(folder, version)
        const already = proxy.upBytes + proxy.downBytes
        if ((await world.once(folder, proxy)) !== 0) throw new Error('the sync ended with a problem')
        return proxy.upBytes + proxy.downBytes - already
      }
      return { first: await once(before), second: await once(after) }
    } finally {
      await world.close()
    }
  },
  rsync: async ({ before, after }, scratch) => {
    const to = join(scratch, 'to')
    mkdirSync(to, { recursive: true })
    const sent = (from: string): number => {
      // As over a network: else a local copy takes no delta. Files of a package all have one time.
      const how = ['-a', '--delete', '--no-whole-file', '--ignore-times', '--stats']
      const out = run('rsync', [...how, `${from}/`, `${to}/`])
      const figure = (name: string): number =>
        Number(new RegExp(`${name}: ([\\d,]+)`).exec(out)?.[1]?.replaceAll(',', ''))
      return figure('Total bytes sent') + figure('Total bytes received')
    }
    return { first: sent(before), second: sent(after) }
  },
  restic: (folders, scratch) => resticGrowth(folders, scratch, 'auto'),
  'restic without compression': (folders, scratch) => resticGrowth(folders, scratch, 'off'),
  casync: async ({ before, after }, scratch) => {
    mkdirSync(scratch, { recursive: true })
    const grown = growth(join(scratch, 'store'), (folder, n) => {
      run('casync', ['make', `--store=${join(scratch, 'store')}`, join(scratch, `${n}.caidx`), folder])
    })
    return { first: grown(before), second: grown(after) }
  },
}

async function resticGrowth(
  { before, after }: { readonly before: string; readonly after: string },
  scratch: string,
  compression: string,
): Promise<Sent> {
  const repository = join(scratch, 'repository')
  const restic = (args: readonly string[], cwd = '.'): string =>
    run('restic', ['--no-cache', `--compression=${compression}`, `--repo=${repository}`, ...args], {
      cwd,
      env: { ...process.env, RESTIC_PASSWORD: 'bench' },
    })
  mkdirSync(scratch, { recursive: true })
  restic(['init'])
  const grown = growth(repository, (folder) => restic(['backup', '.'], folder))
  return { first: grown(before), second: grown(after) }
}

/** Bytes by which a directory grows with each folder that is put into it. */
function growth(directory: string, put: (folder: string, n: number) => void): (folder: string) => number {
  let n = 0
  return (folder) => {
    const already = treeBytes(directory)
    put(folder, n++)
    return treeBytes(directory) - already
  }
}

/** @returns the folder that holds what the package does. */
function fetchPackage(name: string, scratch: string): string {
  mkdirSync(scratch, { recursive: true })
  const packed = run('npm', ['pack', '--silent', name], { cwd: scratch }).trim().split('\n').at(-1)!
  run('tar', ['-xf', packed], { cwd: scratch })
  return join(scratch, 'package')
}

/** @returns a folder with the same files in one tar: by name, all of one time, as a release makes them. */
function tarOf(folder: string, to: string): string {
  mkdirSync(to, { recursive: true })
  const args = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  run('tar', [...args, '-cf', join(to, 'package.tar'), '-C', folder, '.'])
  return to
}

/** The folder holds exactly these files; those that are as they were are not touched. */
function replace(folder: string, version: string): void {
  mkdirSync(folder, { recursive: true })
  const names = readdirSync(version, { recursive: true, withFileTypes: true })
  const paths = new Set(names.map((entry) => join(entry.parentPath, entry.name).slice(version.length)))
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(folder.length)
    if (!path.startsWith('/.tidemark') && !paths.has(path)) {
      rmSync(join(folder, path), { recursive: true, force: true })
    }
  }
  cpSync(version, folder, {
    recursive: true,
    filter: (from) => !isSame(from, folder + from.slice(version.length)),
  })
}

function isSame(from: string, to: string): boolean {
  const [a, b] = [statSync(from), statSync(to, { throwIfNoEntry: false })]
  return (
    a.isFile() && b?.isFile() === true && a.size === b.size && readFileSync(from).equals(readFileSync(to))
  )
}

function treeBytes(directory: string): number {
  if (!statSync(directory, { throwIfNoEntry: false })) return 0
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

/** @throws {Error} with what it wrote to standard error. */
function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { ...options, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
  return stdout
}
