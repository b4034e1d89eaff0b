import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askControl, serveControl } from './control.js'

describe('control socket', () => {
  let home: string
  let socket: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'tidemark-control-'))
    socket = join(home, 's')
  })
  afterEach(() => rmSync(home, { recursive: true, force: true }))

  test('answers reach the asker, failures as errors with their message', async () => {
    const server = await serveControl(socket, async (path, query) => {
      if (path === '/fail') throw new Error('because')
      return { path, value: query.get('path') }
    })
    try {
      expect(await askControl(socket, '/ls?path=a%2Fb')).toEqual({ path: '/ls', value: 'a/b' })
      await expect(askControl(socket, '/fail')).rejects.toThrow('because')
    } finally {
      await server.close()
    }
  })

  test('only its owner may open it', async () => {
    const server = await serveControl(socket, async () => ({}))
    try {
      expect(lstatSync(socket).mode & 0o077).toBe(0)
    } finally {
      await server.close()
    }
  })

  test('where nobody listens the answer is undefined, and a socket left by a killed process is replaced', async () => {
    expect(await askControl(socket, '/status')).toBeUndefined()
    writeFileSync(socket, '')
    const server = await serveControl(socket, async () => ({ up: true }))
    try {
      expect(await askControl(socket, '/status')).toEqual({ up: true })
    } finally {
      await server.close()
    }
  })
})
