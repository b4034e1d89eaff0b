import type { Space } from '@tidemark/engine'
import { blobByteSource } from '@tidemark/engine/browser'
import { makeElement, sizeText } from './elements.js'

/** A place that is asked for by the browser, where it can. */
type SavePicker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>

/** A line in the list of what is being moved, until it is done. */
export class Transfers {
  constructor(
    private readonly list: HTMLElement,
    private readonly space: Space,
  ) {}

  /** Adds a file, or overwrites the one that is shown; never the whole of it in memory. */
  async upload(path: string, file: File): Promise<void> {
    await this.#shown(`adding ${path}`, async (show) => {
      await this.space.write(path, blobByteSource(file), {
        mtimeMs: file.lastModified,
        fingerprint: `${file.name} ${file.size} ${file.lastModified}`,
        onProgress: (bytes) => show(`${sizeText(bytes)} of ${sizeText(file.size)} at the hub`),
      })
    })
  }

  /** Into a file that the user picks, or a download of the browser. */
  async download(path: string): Promise<void> {
    const suggestedName = path.slice(path.lastIndexOf('/') + 1)
    const { showSaveFilePicker } = globalThis as { showSaveFilePicker?: SavePicker }
    // Asked first: browsers want it to follow the click.
    const handle = await showSaveFilePicker?.({ suggestedName })
    await this.#shown(`fetching ${path}`, async (show) => {
      let done = 0
      const parts = this.#read(path, (bytes) => {
        done += bytes
        show(sizeText(done))
      })
      if (handle) await parts.pipeTo(await handle.createWritable())
      else offer(await new Response(parts).blob(), suggestedName)
    })
  }

  #read(path: string, onBytes: (bytes: number) => void): ReadableStream<Uint8Array<ArrayBuffer>> {
    const bytes = this.space.read(path)
    return new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await bytes.next()
        if (done) return controller.close()
        onBytes(value.length)
        controller.enqueue(value as Uint8Array<ArrayBuffer>)
      },
      cancel: async () => void (await bytes.return(undefined)),
    })
  }

  async #shown(what: string, run: (show: (progress: string) => void) => Promise<void>): Promise<void> {
    const item = makeElement('li', {}, what)
    this.list.append(item)
    try {
      await run((progress) => item.replaceChildren(`${what}: ${progress}`))
    } finally {
      item.remove()
    }
  }
}

/** The browser holds a large blob on its disk. */
function offer(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob)
  makeElement('a', { href, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000)
}
