import type { Message } from '@tidemark/protocol'
import type { UploadHint } from '../transfer/upload-hints.js'

/** Hints that wait until the connection takes them, a few KiB each; more are left out. */
const WAITING_MAX = 32

/** Tells a peer of files that are on their way to a hub. */
export class HintTalk {
  #waiting = 0

  constructor(
    private readonly channel: number,
    private readonly send: (message: Message) => Promise<void>,
  ) {}

  tell(hint: UploadHint): void {
    if (this.#waiting >= WAITING_MAX) return
    this.#waiting += 1
    const isSent = () => {
      this.#waiting -= 1
    }
    this.send({ ...hint, type: 'hint', channel: this.channel }).then(isSent, isSent)
  }
}
