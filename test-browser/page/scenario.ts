import { ask, report } from './ask.js'
import {
  download,
  drop,
  fillIn,
  pick,
  row,
  rows,
  seededFile,
  sha256,
  status,
  until,
  willSay,
} from './user.js'

/** One person's afternoon with the page, told in loads of it: what a step begins with survived a reload. */
const LARGE_BYTES = 20 * 1024 * 1024

const small = (text: string): File => new File([text], 'small.txt')
const large = (): File => seededFile('large.bin', LARGE_BYTES, 7)
const inSync = () => until('in sync', () => status() === 'in sync with the hub')
const isOffline = () => until('offline', () => status().startsWith('offline'))

async function textOf(name: string): Promise<string> {
  return (await download(name)).text()
}

function equal(what: string, actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`)
}

function reloadWith(step: string, facts: Record<string, unknown> = {}): undefined {
  sessionStorage.setItem('step', JSON.stringify({ step, facts }))
  location.reload()
}

const STEPS: Readonly<
  Record<string, (facts: Record<string, unknown>) => Promise<Record<string, unknown> | undefined>>
> = {
  async first() {
    const settings = await ask<{ hub: string; token: string; space: string; brief?: boolean }>('settings')
    const { brief = false, ...entered } = settings
    // The other way for bytes: sent as they are read, and kept nowhere.
    fillIn(entered, !brief)
    await inSync()
    if (brief) return STEPS.brief!({})
    pick(small('one'), new File(['to be renamed'], 'old.txt'))
    await until('both files are shown', () => row('small.txt') && row('old.txt'))
    // Cut short in the middle: some of it is at the hub.
    const transfers = document.querySelector('#transfers')!
    const isUnderWay = new Promise<void>((resolve) => {
      new MutationObserver(() => /[1-9].* at the hub/.test(transfers.textContent ?? '') && resolve()).observe(
        transfers,
        { childList: true, subtree: true, characterData: true },
      )
    })
    await ask('slow-line', true)
    pick(large())
    await isUnderWay
    return reloadWith('second')
  },

  async second() {
    await ask('slow-line', false)
    await inSync()
    await until('what was added before is here', () => row('small.txt') && row('old.txt'))
    const wasCut = row('large.bin') === undefined
    const startedMs = performance.now()
    drop(large())
    await until('the large file is shown', () => row('large.bin')?.size === '20.0 MiB')
    const uploadMs = Math.round(performance.now() - startedMs)
    const expected = await sha256(large())
    equal('large.bin, read here', await sha256(await download('large.bin')), expected)
    equal('large.bin, read by another device', await ask('node-read', 'large.bin'), expected)
    equal('small.txt', await textOf('small.txt'), 'one')

    await ask('node-write', { path: 'small.txt', text: 'edited elsewhere' })
    await until('the edit is shown', () => row('small.txt')?.size === '16 B')
    equal('small.txt, edited', await textOf('small.txt'), 'edited elsewhere')
    await ask('node-write-large', { path: 'from-node.bin', bytes: 3_000_000 })
    await until('a file of another device is shown', () => row('from-node.bin'))
    const theirs = await sha256(await download('from-node.bin'))
    equal('from-node.bin', await ask('node-read', 'from-node.bin'), theirs)

    willSay('new.txt')
    row('old.txt')!.click('Rename')
    await until('it is renamed', () => row('new.txt') && !row('old.txt'))
    row('from-node.bin')!.click('Delete')
    await until('it is deleted', () => !row('from-node.bin'))
    await inSync()
    const here = ['large.bin', 'new.txt', 'small.txt']
    equal('what another device sees', await ask('node-list', here), here)

    await navigator.serviceWorker.ready
    await ask('hub-stop')
    await isOffline()
    await ask('node-write', { path: 'small.txt', text: 'theirs, offline' })
    pick(small('mine, offline as well'), new File(['offline'], 'offline.txt'))
    await until('offline changes are shown', () => row('offline.txt') && row('small.txt')?.size === '21 B')
    await ask('page-server', false)
    return reloadWith('third', { wasCut, uploadMs })
  },

  async third(facts) {
    await until('offline changes are here after a reload', () => row('offline.txt') && row('small.txt'))
    await isOffline()
    equal('offline.txt', await textOf('offline.txt'), 'offline')
    equal('small.txt', await textOf('small.txt'), 'mine, offline as well')
    await ask('page-server', true)
    await ask('hub-start')
    await inSync()
    const copy = await until('the other version is a conflict copy', () =>
      rows().find(({ role }) => role === 'conflict'),
    )
    const both = [await textOf('small.txt'), await textOf(copy.name)].sort()
    equal('both versions', both, ['mine, offline as well', 'theirs, offline'])
    const names = rows().map(({ name }) => name)
    equal('what another device sees', await ask('node-list', names), names)
    equal('offline.txt, there', await ask('node-read', 'offline.txt'), await sha256(new Blob(['offline'])))
    return { ...facts, names }
  },

  /** One file there and back. */
  async brief() {
    const file = seededFile('large.bin', 3 * 1024 * 1024, 9)
    pick(file)
    await until('it is shown', () => row('large.bin'))
    await inSync()
    const expected = await sha256(file)
    equal('large.bin, read by another device', await ask('node-read', 'large.bin'), expected)
    await ask('node-write-large', { path: 'from-node.bin', bytes: 3_000_000 })
    await until('a file of another device is shown', () => row('from-node.bin'))
    const theirs = await sha256(await download('from-node.bin'))
    equal('from-node.bin', await ask('node-read', 'from-node.bin'), theirs)
    return {}
  },
}

report(async () => {
  const saved = sessionStorage.getItem('step')
  const { step, facts } = saved === null ? { step: 'first', facts: {} } : JSON.parse(saved)
  return STEPS[step]!(facts)
})
