import { TransportError } from '../errors.js'
import type { Connection, Listener, Transport } from '../ports/transport.js'
import {
  createMemoryConnectionPair,
  type MemoryConnectionOptions,
  type MemoryConnectionPair,
} from './memory-connection.js'

export interface MemoryTransportPair {
  readonly transport: Transport
  readonly listener: Listener
  /** Breaks every line that is up; new ones can be dialled. */
  sever(error: Error): void
}

/**
 * A transport inside one process and the listener that it dials: for tests, simulators, and hubs that are
 * embedded in an application. `close` of the listener refuses new connections and closes the accepted ones.
 */
export function createMemoryTransportPair(options: MemoryConnectionOptions = {}): MemoryTransportPair {
  const label = options.label ?? 'memory'
  const schedule = options.schedule ?? ((task: () => void) => queueMicrotask(task))
  const lines = new Set<MemoryConnectionPair>()
  let accept: ((connection: Connection) => void) | undefined

  const connect = ({ signal }: { signal: AbortSignal }): Promise<Connection> =>
    new Promise((resolve, reject) => {
      const aborted = () => reject(new TransportError(`${label}: aborted`, { cause: signal.reason }))
      if (signal.aborted) {
        aborted()
        return
      }
      signal.addEventListener('abort', aborted, { once: true })
      schedule(() => {
        signal.removeEventListener('abort', aborted)
        if (signal.aborted) return
        if (accept === undefined) {
          reject(new TransportError(`${label}: refused: nobody listens`))
          return
        }
        const line: MemoryConnectionPair = createMemoryConnectionPair(options, () => lines.delete(line))
        lines.add(line)
        accept(line.far)
        resolve(line.near)
      }, 'outgoing')
    })

  return {
    transport: { label, connect },
    listener: {
      onConnection(handler) {
        accept = handler
      },
      async close() {
        accept = undefined
        for (const { far } of lines) far.close('listener closed')
        lines.clear()
      },
    },
    sever(error) {
      for (const line of lines) line.sever(error)
      lines.clear()
    },
  }
}
