import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CorsRule, S3Double } from '@tidemark/store-s3/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TOKEN, until, World } from '../test/support/processes.js'
import { bundlePage } from './bundle-page.js'
import { Chromium, mustChromium } from './chromium.js'
import { openNodeDevice } from './node-device.js'
import { SlowLine } from './slow-line.js'
import { Stage } from './stage.js'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))
/** Of one page. A whole run takes half a minute on two cores that others use, too. */
const RUN_MS = 40_000
const SCRIPT = 'text/javascript'
/** Each connection's share: one pack of the file is at the hub seconds before the others. */
const SLOW_BYTES_PER_MS = 4_000

let world: World
const closers: (() => Promise<unknown>)[] = []
beforeEach(() => {
  process.stdout.write(`${mustChromium()}\n`)
  world = new World()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await world.close()
})

/** Opens a page of the stage, and waits until it says how it ended. @throws with what it saw. */
async function perform(stage: Stage, path: string): Promise<Record<string, unknown>> {
  const chromium = new Chromium(stage.origin + path)
  closers.push(() => chromium.close())
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<{ error: string }>((resolve) => {
    timer = setTimeout(() => resolve({ error: 'the page does not end' }), RUN_MS)
  })
  const { error, facts = {} } = await Promise.race([stage.ended, late as typeof stage.ended])
  clearTimeout(timer)
  if (error !== undefined) throw new Error(`${error}\n\n${chromium.log.join('').slice(-4_000)}`)
  process.stdout.write(`${JSON.stringify(facts)}\n`)
  return facts
}

/** The example's page from its own server, with the scenario in it. */
async function exampleStage(): Promise<Stage> {
  const server = world.start([process.execPath, at('examples/browser/dist/serve.js'), '--port', '0'])
  await until('the page is served', () => server.lines.length > 0)
  const behind = /http:\S+/.exec(server.lines[0]!)![0]
  const stage = await Stage.start({
    behind,
    files: { '/scenario.js': { type: SCRIPT, body: await bundlePage('scenario') } },
  })
  closers.push(() => stage.close())
  return stage
}

test('the stores of a page pass the suites of their ports on the IndexedDB of a browser', async () => {
  const stage = await Stage.start({
    files: {
      '/': { type: 'text/html', body: '<body><script type="module" src="conformance.js"></script></body>' },
      '/conformance.js': { type: SCRIPT, body: await bundlePage('conformance') },
      '/packs.json': {
        type: 'application/json',
        body: readFileSync(at('packages/engine/test/vectors/packs.json'), 'utf8'),
      },
    },
  })
  closers.push(() => stage.close())
  const { rules, locked } = await perform(stage, '/')
  expect(rules).toBeGreaterThan(20)
  expect(locked).toBe('LOCKED')
})

test('a page takes files, keeps them over reloads, works offline, and meets the edits of others', async () => {
  const stage = await exampleStage()
  let hub = await world.hub(0, ['--origin', stage.origin])
  const { url, port } = hub
  const line = new SlowLine(port)
  const linePort = await line.open()
  closers.push(() => line.close())
  const node = await openNodeDevice({ directory: world.path('node'), hub: url, token: TOKEN, space: 'page' })
  closers.push(() => node.close())
  stage.deeds = {
    settings: () => ({ hub: `ws://127.0.0.1:${linePort}`, token: TOKEN, space: 'page' }),
    'slow-line': (isSlow: boolean) => {
      line.upBytesPerMs = isSlow ? SLOW_BYTES_PER_MS : Number.POSITIVE_INFINITY
    },
    'node-read': node.read,
    'node-write': node.write,
    'node-write-large': node.writeLarge,
    'node-list': node.list,
    'hub-stop': async () => void (await hub.stop()),
    'hub-start': async () => {
      hub = await world.hub(port, ['--origin', stage.origin])
    },
    'page-server': (isUp: boolean) => {
      stage.isUp = isUp
    },
  }
  const { names, wasCut } = await perform(stage, '/')
  expect(wasCut).toBe(true)
  expect(names).toHaveLength(5)
})

test('a page moves bytes to and from S3 with the CORS rules of the README', async () => {
  const stage = await exampleStage()
  const page = readFileSync(at('packages/store-s3/README.md'), 'utf8')
  const recipe = /^\[\n {2}\{\n {4}"AllowedOrigins".*?^\]$/ms.exec(page)![0]
  const cors = JSON.parse(recipe.replace('https://app.example', stage.origin)) as CorsRule[]
  const double = await S3Double.start({ directory: world.path('s3'), cors })
  closers.push(() => double.close())
  const { accessKeyId, secretAccessKey } = double.credentials
  const keys = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`]
  const s3 = ['--s3-bucket', 'bucket', '--s3-endpoint', double.endpoint]
  const { url } = await world.hub(0, ['--origin', stage.origin, ...s3], ['env', ...keys])
  const node = await openNodeDevice({ directory: world.path('node'), hub: url, token: TOKEN, space: 'page' })
  closers.push(() => node.close())
  stage.deeds = {
    settings: () => ({ hub: url.replace('http', 'ws'), token: TOKEN, space: 'page', brief: true }),
    'node-read': node.read,
    'node-write-large': node.writeLarge,
  }
  await perform(stage, '/')
})
