/** A person at the page: waits for what it shows, clicks, picks files. */
const POLL_MS = 20
const PATIENCE_MS = 25_000

export async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const must = <T extends Element>(selector: string): T => {
  const element = document.querySelector<T>(selector)
  if (!element) throw new Error(`the page has no ${selector}`)
  return element
}

export interface Row {
  readonly name: string
  readonly size: string
  readonly role: string
  click(button: string): void
}

export const rows = (): Row[] =>
  [...document.querySelectorAll<HTMLTableRowElement>('#entries tr')].map((row) => ({
    name: row.dataset.name ?? '',
    size: row.querySelector('.size')?.textContent ?? '',
    role: row.className,
    click: (text) => {
      const buttons = [...row.querySelectorAll('button')]
      buttons.find(({ textContent }) => textContent === text)!.click()
    },
  }))

export const row = (name: string): Row | undefined => rows().find((found) => found.name === name)

export const status = (): string => must<HTMLOutputElement>('#status').value

export function fillIn(settings: { hub: string; token: string; space: string }, keepsBytes: boolean): void {
  must<HTMLInputElement>('#keeps-bytes').checked = keepsBytes
  for (const [id, value] of Object.entries(settings)) must<HTMLInputElement>(`#${id}`).value = value
  must<HTMLFormElement>('#settings').requestSubmit()
}

export function pick(...files: File[]): void {
  const transfer = new DataTransfer()
  for (const file of files) transfer.items.add(file)
  const input = must<HTMLInputElement>('#add')
  input.files = transfer.files
  input.dispatchEvent(new Event('change'))
}

export function drop(...files: File[]): void {
  const dataTransfer = new DataTransfer()
  for (const file of files) dataTransfer.items.add(file)
  must('#drop').dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }))
}

/** Answers the next question of the page. */
export function willSay(answer: string): void {
  window.prompt = () => answer
}

/** Clicks, and takes what the browser would save. */
export async function download(name: string): Promise<Blob> {
  const file = await until(`${name} is shown`, () => row(name))
  Object.defineProperty(window, 'showSaveFilePicker', { value: undefined, configurable: true })
  const make = URL.createObjectURL
  const saved = new Promise<Blob>((resolve) => {
    URL.createObjectURL = (blob: Blob) => {
      resolve(blob)
      return make(blob)
    }
  })
  file.click('Download')
  const blob = await saved
  URL.createObjectURL = make
  return blob
}

export async function sha256(blob: Blob): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Bytes that do not repeat; the same for a seed. */
export function seededFile(name: string, bytes: number, seed: number): File {
  const words = new Uint32Array(bytes / 4)
  let state = seed
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new File([words], name, { lastModified: 1_700_000_000_000 })
}
