const test=(n,f)=>f()
import { applyRemote } from './apply-remote.js'
import type { Thing } from './testing/fake-space.js'
import { World } from './testing/world.js'
const never = new AbortController().signal
test('bench', async () => {
  for (let r = 0; r < 2; r++) {
    const world = new World()
    const things: Thing[] = []
    for (let d = 1; d <= 100; d++) things.push({ id: d, in: 0, name: `d${d}` })
    for (let i = 0; i < 10_000; i++) things.push({ id: 1000 + i, in: 1 + (i % 100), name: `f${i}`, bytes: `content ${r} ${i} `.repeat(100) })
    world.space.show(things)
    const t = performance.now()
    await applyRemote(world.ctx(), never)
    console.log('cpu', process.cpuUsage(), 'create', Math.round(performance.now() - t))
    world.space.show(things.map((x) => (x.bytes ? { ...x, bytes: x.bytes + 'y' } : x)))
    const t2 = performance.now()
    await applyRemote(world.ctx(), never)
    console.log('replace', Math.round(performance.now() - t2))
    world.space.show(things.map((x) => (x.id === 5 ? { ...x, name: 'renamed' } : x.bytes ? { ...x, bytes: x.bytes + 'y' } : x)))
    const t4 = performance.now()
    await applyRemote(world.ctx(), never)
    console.log('rename dir', Math.round(performance.now() - t4))
    world.space.show([])
    const t3 = performance.now()
    const r3 = await applyRemote(world.ctx(), never)
    console.log('delete', Math.round(performance.now() - t3), r3)
    world.close()
  }
}, 120000)
