import { openReplica } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
const storage = await openLevelStore(process.argv[2] + '/.tidemark/state/database')
const replica = await openReplica({ storage, platform: nodePlatform })
const space = await replica.openSpace('default', { bound: true })
const { binding } = space
const j = (x) => JSON.stringify(x, (k, v) => v instanceof Map ? [...v] : v)
for (const key of await binding.dirty(10)) {
  console.log('DIRTY', key)
  const r = await binding.received.entry(key), s = await binding.synced.entry(key)
  for (const [n, e, t] of [['received', r, binding.received], ['synced', s, binding.synced]]) console.log(' ', n, e && (await t.pathOf(e)).join('/'), j(e))
  console.log('  rnode', j(await binding.received.node(key.split(':')[0])))
  console.log('  snode', j(await binding.synced.node(key.split(':')[0])))
  for await (const page of binding.rows.range({ gte: '', lt: '~' })) for (const [k, v] of page) { const t = Buffer.from(v).toString(); if (k.includes(key)) console.log('  ROW', k, t.slice(0, 600)) }
}
if (process.argv[3]) for await (const page of binding.rows.range({ gte: "", lt: "~" })) for (const [k, v] of page) { const t = Buffer.from(v).toString(); if (k.includes(process.argv[3]) || t.includes(process.argv[3])) console.log("  ROW", k, t.slice(0, 700)) }
if (process.argv[3]) { const e = await binding.received.entry(process.argv[3]); console.log("rec", j(e), e && (await binding.received.pathOf(e)).join("/")); const f = await binding.synced.entry(process.argv[3]); console.log("syn", j(f), f && (await binding.synced.pathOf(f)).join("/")) ; console.log(j(await binding.received.node(process.argv[3])), j(await binding.synced.node(process.argv[3])))}
await replica.close()
