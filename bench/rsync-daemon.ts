import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { until } from '../test/support/processes.js'
import { type Costs, ProcessCosts } from './process-costs.js'

export const hasRsync = (): boolean => spawnSync('rsync', ['--version']).status === 0

export interface RsyncRun {
  readonly wallMs: number
  readonly client: Costs
  readonly daemon: Costs
}

/** `rsync -a` from a folder into a module of a local daemon: one hop over TCP, both ends real processes. */
export async function rsyncThroughDaemon(from: string, to: string, scratch: string): Promise<RsyncRun> {
  mkdirSync(to, { recursive: true })
  mkdirSync(scratch, { recursive: true })
  const port = await freePort()
  const config = join(scratch, 'rsyncd.conf')
  writeFileSync(
    config,
    [
      `port = ${port}`,
      'address = 127.0.0.1',
      'use chroot = no',
      `uid = ${process.getuid?.() ?? 0}`,
      `gid = ${process.getgid?.() ?? 0}`,
      '[to]',
      `path = ${to}`,
      'read only = no',
      '',
    ].join('\n'),
  )
  const daemon = spawn('rsync', ['--daemon', '--no-detach', `--config=${config}`], { stdio: 'ignore' })
  try {
    await until('the daemon listens', () => accepts(port))
    const ofDaemon = new ProcessCosts(daemon.pid!)
    const began = performance.now()
    const client = spawn('rsync', ['-a', `${from}/`, `rsync://127.0.0.1:${port}/to/`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const ofClient = new ProcessCosts(client.pid!)
    const code = await exitCode(client)
    const wallMs = performance.now() - began
    if (code !== 0) throw new Error(`rsync ended with ${code}`)
    return { wallMs, client: ofClient.stop(), daemon: ofDaemon.stop() }
  } finally {
    daemon.kill('SIGTERM')
    await exitCode(daemon)
  }
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
