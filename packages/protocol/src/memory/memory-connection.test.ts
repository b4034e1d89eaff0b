import { describe, expect, test } from 'vitest'
import { createMemoryConnectionPair, type Direction } from './memory-connection.js'

/** Deliveries on command. */
function handCranked() {
  const tasks: { task: () => void; direction: Direction }[] = []
  const { near, far, sever } = createMemoryConnectionPair({
    schedule: (task, direction) => tasks.push({ task, direction }),
  })
  const log: string[] = []
  for (const [name, end] of Object.entries({ near, far })) {
    end.open({
      frame: (bytes) => log.push(`${name} ${bytes[0]}`),
      closed: (error) => log.push(`${name} closed${error ? `: ${error.message}` : ''}`),
    })
  }
  return { near, far, sever, tasks, log, crank: () => tasks.shift()?.task() }
}

describe('memory connection', () => {
  test('nothing is delivered but by the scheduler, one frame a task', () => {
    const { near, log, crank } = handCranked()
    near.send(Uint8Array.of(1))
    near.send(Uint8Array.of(2))
    expect(log).toEqual([])
    crank()
    expect(log).toEqual(['far 1'])
    crank()
    expect(log).toEqual(['far 1', 'far 2'])
  })

  test('a task is told its direction, and the order of tasks of both directions is free', () => {
    const { near, far, tasks, log } = handCranked()
    near.send(Uint8Array.of(1))
    far.send(Uint8Array.of(2))
    expect(tasks.map(({ direction }) => direction)).toEqual(['outgoing', 'incoming'])
    tasks.pop()!.task()
    tasks.pop()!.task()
    expect(log).toEqual(['near 2', 'far 1'])
  })

  test('a severed line loses what was on its way and tells both ends why', () => {
    const { near, far, sever, log, tasks, crank } = handCranked()
    near.send(Uint8Array.of(1))
    far.send(Uint8Array.of(2))
    sever(new Error('cable'))
    sever(new Error('again'))
    while (tasks.length > 0) crank()
    expect(log.sort()).toEqual(['far closed: cable', 'near closed: cable'])
  })

  test('a handler that throws does not stop the frames behind it', () => {
    const tasks: (() => void)[] = []
    const { near, far } = createMemoryConnectionPair({ schedule: (task) => tasks.push(task) })
    const seen: number[] = []
    far.open({
      frame: (bytes) => {
        seen.push(bytes[0]!)
        throw new Error('handler')
      },
      closed: () => {},
    })
    near.send(Uint8Array.of(1))
    near.send(Uint8Array.of(2))
    expect(() => tasks.shift()!()).toThrow('handler')
    expect(() => tasks.shift()!()).toThrow('handler')
    expect(seen).toEqual([1, 2])
  })
})
