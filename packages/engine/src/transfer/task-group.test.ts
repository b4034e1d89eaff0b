import { expect, test } from 'vitest'
import { TaskGroup } from './task-group.js'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('the first failure aborts the others, is thrown, and nothing runs on after it', async () => {
  const group = new TaskGroup(undefined)
  let running = 0
  const running$ = group.run(async () => {
    for (let i = 0; i < 3; i++) {
      group.spawn(async () => {
        running++
        while (!group.signal.aborted) await turn()
        running--
      })
    }
    await turn()
    throw new Error('first')
  })
  await expect(running$).rejects.toThrow('first')
  expect(running).toBe(0)
})

test('it waits for tasks that tasks have begun', async () => {
  const group = new TaskGroup(undefined)
  let done = false
  await group.run(async () => {
    group.spawn(async () => {
      await turn()
      group.spawn(async () => {
        await turn()
        done = true
      })
    })
  })
  expect(done).toBe(true)
})

test('the outer signal aborts it with its reason', async () => {
  const abort = new AbortController()
  const group = new TaskGroup(abort.signal)
  const running = group.run(async () => {
    abort.abort(new Error('enough'))
    await turn()
  })
  await expect(running).rejects.toThrow('enough')
  await expect(new TaskGroup(abort.signal).run(async () => undefined)).rejects.toThrow('enough')
})
