import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bindSettings, normalHub, readSettings } from './settings.js'

const HUB = 'ws://127.0.0.1:1'

describe('settings of a folder', () => {
  let state: string
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'tidemark-settings-'))
  })
  afterEach(() => rmSync(state, { recursive: true, force: true }))

  test('the first sync writes them, a second one with the same hub and space agrees', () => {
    expect(readSettings(state)).toBeUndefined()
    bindSettings(state, { folder: null, hub: HUB, space: 'default' })
    bindSettings(state, { folder: null, hub: 'http://127.0.0.1:1/sync', space: 'default' })
    expect(readSettings(state)).toMatchObject({ hub: 'ws://127.0.0.1:1/sync', space: 'default' })
    expect(readdirSync(state)).toEqual(['settings.json'])
  })

  test.each([
    [{ folder: null, hub: HUB, space: 'other' }, 'bound to space "default", not "other"'],
    [{ folder: null, hub: 'ws://127.0.0.1:2', space: 'default' }, 'bound to the hub ws://127.0.0.1:1/sync'],
    [{ folder: '/elsewhere', hub: HUB, space: 'default' }, 'not /elsewhere'],
  ])('another binding is refused by name: %j', (wanted, message) => {
    bindSettings(state, { folder: null, hub: HUB, space: 'default' })
    expect(() => bindSettings(state, wanted)).toThrow(message)
  })

  test.each(['', '{', '[]', '{"version":2}', '{"version":1,"folder":3,"hub":"h","space":"s"}'])(
    'a damaged file is refused, never replaced: %s',
    (text) => {
      writeFileSync(join(state, 'settings.json'), text)
      expect(() => bindSettings(state, { folder: null, hub: HUB, space: 'default' })).toThrow(
        'is not a settings file',
      )
    },
  )

  test('schemes and the default path name one hub', () => {
    expect(normalHub('https://h/')).toBe(normalHub('wss://h/sync'))
    expect(normalHub('ws://h')).not.toBe(normalHub('wss://h'))
  })
})
