import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Connection, ConnectionHandlers, Transport } from '@tidemark/protocol'
import { FRAME_BYTES_MAX, TransportError } from '@tidemark/protocol'

/** Frames over TCP, each behind its length: four bytes, big-endian. It takes while it listens to `readable`. */
export function tcpConnection(socket: Socket, label: string): Connection {
  let handlers: ConnectionHandlers | undefined
  let length: number | undefined
  const take = (): void => {
    while (handlers && socket.listenerCount('readable') > 0) {
      const bytes: Buffer | null = length === 0 ? Buffer.alloc(0) : socket.read(length ?? 4)
      // Shorter: the stream ended within a frame.
      if (bytes === null || bytes.length < (length ?? 4)) return
      const isFrame = length !== undefined
      length = isFrame ? undefined : bytes.readUInt32BE()
      if ((length ?? 0) > FRAME_BYTES_MAX) return void socket.destroy(new Error(`a frame of ${length} bytes`))
      if (isFrame && socket.writable) handlers.frame(bytes)
    }
  }
  const ended = (): void => {
    socket.emit('drain') // Nobody waits for room any more.
    handlers?.closed(socket.errored ? new TransportError(`${label}: ${socket.errored.message}`) : undefined)
  }
  socket.on('error', () => undefined).on('close', ended)
  return {
    label,
    open: (given) => {
      handlers = given
      if (socket.closed) queueMicrotask(ended)
      else socket.on('readable', take)
    },
    send: (frame) => {
      const head = Buffer.from(Uint32Array.of(frame.length).buffer).swap32()
      return !socket.writable || socket.write(Buffer.concat([head, frame]))
    },
    drained: () => new Promise((go) => (socket.writableNeedDrain ? void socket.once('drain', go) : go())),
    pause: () => void socket.off('readable', take),
    resume: () => void socket.off('readable', take).on('readable', take).emit('readable'),
    // What still comes is dropped; a peer that does not end its side is cut off.
    close: () =>
      void socket
        .off('readable', take)
        .resume()
        .end()
        .setTimeout(2_000, () => socket.destroy()),
  }
}

export const tcpTransport = (port: number, host: string, label = `tcp://${host}:${port}`): Transport => ({
  label,
  connect: async ({ signal }) => {
    const socket = connect({ port, host, noDelay: true })
    await once(socket, 'connect', { signal }).catch((cause: Error) => {
      socket.destroy()
      throw new TransportError(`${label}: ${cause.message}`, { cause })
    })
    return tcpConnection(socket, label)
  },
})
