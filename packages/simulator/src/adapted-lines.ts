import type { Connection, ConnectionHandlers } from '@tidemark/protocol'
import type { TransportFixture } from '@tidemark/protocol/conformance'
import { AdapterError, type Outside } from './outside.js'

/** Dials take place one after the other, so that it is known which accepted end belongs to which. */
const NOBODY = (far: Connection): void => far.close('nobody dialled')

/**
 * Lines of the simulation that an embedder's transport carries. The simulation's own line stays in front of
 * it, for latencies and cuts: whatever comes out of that one goes through a connection of the transport.
 */
export class AdaptedLines {
  #accept = NOBODY
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly fixture: TransportFixture,
    private readonly outside: Outside,
  ) {
    fixture.listener.onConnection((far) => this.#accept(far))
  }

  /** @param line The far end of a line of the simulation. @param accept Gets the far end of the transport. */
  carry(line: Connection, accept: (far: Connection) => void): void {
    const dialled = this.outside.track(
      'a dial',
      this.#last.then(() => this.#dial()),
    )
    this.#last = dialled.catch(() => undefined)
    dialled.then(
      ([near, far]) => {
        const [inner, outer] = watched(near, far, this.outside)
        accept(outer)
        forward(line, inner)
        forward(inner, line)
      },
      // Its listener listens: there is no reason to fail.
      (error: Error) =>
        this.outside.fail(new AdapterError(`the transport does not connect: ${error}`, { cause: error })),
    )
  }

  async #dial(): Promise<[Connection, Connection]> {
    const accepted = new Promise<Connection>((resolve) => {
      this.#accept = resolve
    })
    const near = await this.fixture.transport.connect({ signal: new AbortController().signal })
    const far = await accepted
    this.#accept = NOBODY
    return [near, far]
  }
}

/** Frames of `from` go out at `to`, as fast as it takes them. */
function forward(from: Connection, to: Connection): void {
  from.open({
    frame: (bytes) => {
      if (to.send(bytes)) return
      from.pause()
      void to.drained().then(() => from.resume())
    },
    closed: () => to.close(),
  })
}

/** Frames of one direction between `send` of one end and the handler of the other. */
class Flight {
  #count = 0
  #isHeld = false
  #landed: (() => void) | undefined

  constructor(
    private readonly what: string,
    private readonly outside: Outside,
  ) {}

  add(count: number): void {
    this.#count += count
    this.#update()
  }

  /** The receiving end takes nothing for a while: nobody waits for what it does not take. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#update()
  }

  over(): void {
    this.#count = Number.NEGATIVE_INFINITY
    this.#update()
  }

  #update(): void {
    const isWaitedFor = this.#count > 0 && !this.#isHeld
    if (isWaitedFor) this.#landed ??= this.outside.begin(this.what)
    else {
      this.#landed?.()
      this.#landed = undefined
    }
  }
}

/** Both ends, such that virtual time waits for frames and ends that are on their way. */
function watched(near: Connection, far: Connection, outside: Outside): [Connection, Connection] {
  const there = new Flight('frames to the hub', outside)
  const back = new Flight('frames to a device', outside)
  let openEnds = 2
  let ended: (() => void) | undefined
  const isEnding = (): void => {
    if (openEnds > 0) ended ??= outside.begin('the end of a connection')
  }
  const isClosed = (): void => {
    isEnding()
    if (--openEnds > 0) return
    for (const flight of [there, back]) flight.over()
    ended?.()
  }
  const end = (connection: Connection, outgoing: Flight, incoming: Flight): Connection => {
    let isOpen = false
    const open = ({ frame, closed }: ConnectionHandlers): void => {
      isOpen = true
      connection.open({
        frame: (bytes) => {
          incoming.add(-1)
          frame(bytes)
        },
        closed: (error) => {
          isClosed()
          closed(error)
        },
      })
    }
    return {
      label: connection.label,
      open,
      send: (frame) => {
        outgoing.add(1)
        return connection.send(frame)
      },
      drained: () => connection.drained(),
      pause: () => {
        incoming.hold(true)
        connection.pause()
      },
      resume: () => {
        incoming.hold(false)
        connection.resume()
      },
      close: (reason) => {
        isEnding()
        // Somebody who died before: the end of the connection is waited for all the same.
        if (!isOpen) open({ frame: () => undefined, closed: () => undefined })
        connection.close(reason)
      },
    }
  }
  return [end(near, there, back), end(far, back, there)]
}
