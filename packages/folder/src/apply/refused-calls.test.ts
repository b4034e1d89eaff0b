import { expect, test } from 'vitest'
import type { ApplyContext } from '../apply-context.js'
import type { FileSystem } from '../ports/file-system.js'
import { applyRemote } from './apply-remote.js'
import { settleUnderWay } from './recover.js'
import { AFTER, BEFORE } from './testing/every-step.js'
import { foundByScan } from './testing/found-by-scan.js'
import { intercepted, treeOf, unsyncedFileSystem, World } from './testing/world.js'
import { Unsettled } from './unsettled.js'

const never = new AbortController().signal
const TURNS_MAX = 6
const CHANGES = new Set([
  'mkdir',
  'rmdir',
  'rename',
  'link',
  'unlink',
  'symlink',
  'chmod',
  'setMtime',
  'writeNew',
])

interface Refused {
  /** The first call that was refused; `undefined`: the update came to its end before. */
  readonly first: string | undefined
  /** What went wrong for it. */
  readonly trouble: readonly string[]
}

/**
 * An update on a disk that refuses calls for a while, in the turns of a loop: what is half done is settled before
 * the next scan.
 *
 * @param isRefused `n` counts the calls.
 */
async function updateRefused(
  code: string,
  isRefused: (call: keyof FileSystem, n: number, turn: number) => boolean,
): Promise<Refused> {
  const world = new World()
  try {
    world.space.show(BEFORE)
    await applyRemote(world.ctx(unsyncedFileSystem), never)
    world.space.show(AFTER)
    let [turn, calls] = [0, 0]
    let first: string | undefined
    const files = intercepted(unsyncedFileSystem, (call, paths) => {
      if (!isRefused(call, calls++, turn)) return
      first ??= `${call} ${paths.map((path) => path.replace(world.directory, '')).join(' → ')}`
      throw Object.assign(new Error(code), { code })
    })
    const ctx = world.ctx(files)
    const trouble: string[] = []
    let mustSettle = false
    for (; turn < TURNS_MAX && (mustSettle || (await world.space.dirty(1)).length > 0); turn++) {
      // Where that throws nothing else is done.
      if (mustSettle && (await refusal(settleUnderWay(ctx), code))) continue
      mustSettle = (await refusal(applyRemote(ctx, never), code)) || (await isUnsettled(ctx))
      if (mustSettle && (await refusal(settleUnderWay(ctx), code))) continue
      mustSettle = await isUnsettled(ctx)
      if (mustSettle) continue
      const found = await foundByScan(world.ctx(unsyncedFileSystem), world.disk())
      if (found.length > 0) trouble.push(`turn ${turn}, for the user's was taken: ${found.join(', ')}`)
    }
    const [disk, want] = [world.disk(), treeOf(AFTER)]
    for (const path of new Set([...Object.keys(want), ...Object.keys(disk)]))
      if (want[path] !== disk[path]) trouble.push(`at the end ${path} is ${disk[path]?.slice(0, 20)}`)
    const bytes = world.bytes()
    for (const { bytes: text } of BEFORE)
      if (text !== undefined && !bytes.has(text)) trouble.push(`lost ${text}`)
    return { first, trouble }
  } finally {
    world.close()
  }
}

async function refusal(act: Promise<unknown>, code: string): Promise<boolean> {
  try {
    await act
    return false
  } catch (error) {
    if ((error as { code?: string }).code === code) return true
    throw error
  }
}

const isUnsettled = async (ctx: ApplyContext): Promise<boolean> => (await Unsettled.read(ctx)).keys.size > 0

async function expectNoTrouble(refusedFrom: (at: number) => Promise<Refused>): Promise<void> {
  const bad: string[] = []
  let at = 0
  for (; ; at++) {
    const { first, trouble } = await refusedFrom(at)
    if (first === undefined) break
    if (trouble.length > 0) bad.push(`${at}: ${first}: ${trouble.join('; ')}`)
  }
  expect(bad).toEqual([])
  expect(at).toBeGreaterThan(20)
}

test('[CR18] a call that fails leaves nothing half done that passes for its user', async () => {
  await expectNoTrouble((at) => updateRefused('EIO', (_, n) => n === at))
}, 180_000)

test('[CR18] nor does a change that is not permitted', async () => {
  await expectNoTrouble((at) => {
    let changes = 0
    return updateRefused('EPERM', (call) => CHANGES.has(call) && changes++ === at)
  })
}, 180_000)

/** With EMFILE and ENFILE nothing else fails. */
const NEEDS_DESCRIPTOR = new Set(['readdir', 'readFile', 'writeNew', 'open', 'fsync', 'syncAll'])

test.each([1, 2])(
  '[CR18] a disk that has no file descriptor for %d turns splits and renames nothing',
  async (turns) => {
    await expectNoTrouble((at) => {
      let calls = 0
      return updateRefused(
        'EMFILE',
        (call, _, turn) => turn < turns && NEEDS_DESCRIPTOR.has(call) && calls++ >= at,
      )
    })
  },
  180_000,
)
