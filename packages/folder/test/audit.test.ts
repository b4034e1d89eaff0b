import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { RowsStore, rowOps } from '../src/rows-store.js'
import { type Bound, bind, hub, onDisk } from './fixture.js'

const settled = (bound: Bound) => bound.binding.settled({ signal: AbortSignal.timeout(20_000) })

/** Ends a binding and starts it again on the same folder and database. */
async function restart(bound: Bound, theHub: Awaited<ReturnType<typeof hub>>): Promise<Bound> {
  const { directory, storage } = bound
  await bound.binding.close()
  await bound.replica.close()
  return bind({ hub: theHub, directory, storage })
}

test('[FB13] an entry that lost its file and its row is made again at the next start', async () => {
  const theHub = await hub()
  const first = await bind({ hub: theHub })
  fs.mkdirSync(first.path('d'))
  fs.writeFileSync(first.path('d/f'), 'text')
  await settled(first)
  const rows = new RowsStore(first.space.binding.rows)
  const row = (await rows.byInode(...identityOf(first.path('d/f'))))[0]!
  await first.binding.close()
  fs.rmSync(first.path('d/f'))
  await first.space.binding.writeRows(rowOps([{ before: row, after: undefined }]), { sync: true })
  const again = await restart(first, theHub)
  expect(await settled(again)).toMatchObject({ state: 'idle', problems: [] })
  expect(onDisk(again.directory)).toEqual({ d: '/', 'd/f': 'text' })
})

test('[FB13] a row whose entry the space does not show goes at the next start, its file to the trash', async () => {
  const theHub = await hub()
  const first = await bind({ hub: theHub })
  fs.writeFileSync(first.path('kept'), 'kept')
  fs.writeFileSync(first.path('stale'), 'stale')
  await settled(first)
  const rows = new RowsStore(first.space.binding.rows)
  const row = (await rows.byInode(...identityOf(first.path('stale'))))[0]!
  await first.binding.close()
  // As if the deletion had been taken over while the file stayed.
  await first.space.binding.commit([{ type: 'delete', entry: row.key }], async () => ({ ops: [], touch: [] }))
  const again = await restart(first, theHub)
  expect(await settled(again)).toMatchObject({ state: 'idle', problems: [] })
  expect(onDisk(again.directory)).toEqual({ kept: 'kept' })
})

function identityOf(path: string): [dev: string, ino: string] {
  const { dev, ino } = fs.lstatSync(path, { bigint: true })
  return [String(dev), String(ino)]
}
