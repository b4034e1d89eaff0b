import { openReplica, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { webSocketTransport } from '@tidemark/transport-ws'

/** What a program of this scenario is told, as JSON in its one argument. */
export interface Job {
  readonly url: string
  readonly token: string
  /** Directory of its database. */
  readonly state: string
  readonly seed: string
  /** Bytes. */
  readonly size: number
  /** Where the reader notes what it has. */
  readonly digests: string
}

export const PATH = 'huge.bin'

export const jobOf = (argv: readonly string[]): Job => JSON.parse(argv[2]!) as Job

/** A replica that keeps no bytes of its own. */
export async function openProgram({ url, token, state }: Job): Promise<{ replica: Replica; space: Space }> {
  const replica = await openReplica({ storage: await openLevelStore(state), platform: nodePlatform })
  replica.connect(webSocketTransport(url), { token })
  return { replica, space: await replica.openSpace('huge') }
}

/** A line of these tells the harness how many bytes of the file are where they belong. */
export const tell = (bytes: number): void => void process.stdout.write(`at ${bytes}\n`)
