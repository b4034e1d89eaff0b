import { expect, test } from 'vitest'
import { replay } from './simulate.js'

const textsOf = (trace: readonly string[]): string => trace.at(-1)!

test('[HB20] what the hub refuses stays with its author, and goes up when the hub takes it', async () => {
  const { trace } = await replay(`
    seed 1
    devices ann bob
    ann create f
    wait 5000
    refuse 100
    ann edit f
    ann create g
    ann mkdir d
    wait 10000
  `)
  expect(trace.some((line) => line.includes('ann problem f: refused by the hub'))).toBe(true)
  expect(Object.keys(JSON.parse(textsOf(trace).replace(/^.*?\{/, '{'))).sort()).toEqual(['d', 'f', 'g'])
})

test('[HB20] an edit that was refused is none of what came meanwhile, and its user never saw (seed 56 of 120 steps)', async () => {
  const { trace } = await replay(`
    seed 1
    devices ann bob
    ann create f
    wait 5000
    away ann
    bob edit f
    ann edit f
    wait 3000
    refuse 100
    return ann
    wait 10000
  `)
  expect(Object.keys(JSON.parse(textsOf(trace).replace(/^.*?\{/, '{')))).toHaveLength(2)
})

test('[HB20] of what was refused twice nothing is forgotten (seed 42 of 120 steps)', async () => {
  await replay(`
    seed 1
    devices ann bob
    ann create f
    wait 5000
    refuse 100
    ann edit f
    ann chmod f 755
    wait 200
    kill ann
    start ann
    wait 200
    ann edit f
    cut ann
    wait 10000
  `)
})

test('[HB20] what the hub did not let go is there again', async () => {
  const { trace } = await replay(`
    seed 1
    devices ann bob:coarse
    ann create f
    ann create d/x
    ann mkdir d
    ann create d/x
    wait 5000
    refuse 100
    ann remove f
    ann rename d e
    bob remove d/x
    wait 60000
  `)
  const shown = Object.keys(JSON.parse(textsOf(trace).replace(/^.*?\{/, '{'))).sort()
  expect(shown).toEqual(['d', 'd/x', 'f'])
})

test('[HB20] what was refused is refused where others move its directory, until it is sent again (seed 1001029)', async () => {
  const { trace } = await replay(`
    seed 1001029
    devices bob cyd
    bob mkdir a
    wait 231
    cyd create A
    wait 487
    bob create a/A
    refuse 10
    cyd tree a/a
    wait 192
    cyd rename a/a x.txt
    wait 136
  `)
  expect(Object.keys(JSON.parse(textsOf(trace).replace(/^.*?\{/, '{')))).toContain('a/a/a/b/y.txt')
})

test('[HB20] what others delete with a directory that was refused once does not come back', async () => {
  await replay(`
    seed 1
    devices bob cyd
    refuse 30
    bob tree n
    wait 750
    cyd rmdir n
  `)
  const { trace } = await replay(`
    seed 1
    devices ann bob
    refuse 50
    ann tree t
    wait 8000
    refuse 0
    kill ann
    start ann
    wait 3600000
    bob rmdir t
    wait 10000
  `)
  expect(JSON.parse(textsOf(trace).replace(/^.*?\{/, '{'))).toEqual({})
  await replay(`
    seed 7
    devices ann bob cyd
    refuse 60
    ann tree t
    wait 8000
    refuse 0
    away bob
    away cyd
    bob rmdir t/a
    cyd remove t/x.txt
    wait 8000
    return bob
    return cyd
    wait 20000
  `)
})

test('[HB20] what was refused stays where it is, though others moved it to where rules hide it', async () => {
  const { trace } = await replay(`
    seed 1
    devices ann cyd
    ann create k
    wait 8000
    away ann
    ann ignore .
    cyd rename k q.mine
    wait 5000
    refuse 100
    ann edit k
    wait 2000
    return ann
    wait 30000
    refuse 0
  `)
  expect(trace.some((line) => line.includes('ann problem k: refused by the hub'))).toBe(true)
})

test('[HB20] an edit that others wrote over, and that is refused while the disk is full, stays where it is', async () => {
  await replay(`
    seed 3201780
    devices ann bob cyd
    ann create y.txt
    ann ignore .
    wait 89
    wait 349
    cyd rename y.txt a
    amid cyd 1 age . -7677
    wait 87
    amid bob 0 save .
    trap bob 1
    cyd truncate a
    wait 1663
    amid bob 0 save y.txt
    start bob
    ann create x.txt
    fill bob
    wait 288
    refuse 100
    wait 26
  `)
})
