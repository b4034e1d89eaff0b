import type { Space, ViewEntry } from '@tidemark/engine'
import { makeElement, sizeText } from './elements.js'

export interface DirectoryActions {
  download(path: string): void
  rename(path: string): void
  remove(path: string, kind: ViewEntry['kind']): void
  /** The directory cannot be read. */
  failed(error: Error): void
}

export interface DirectoryElements {
  readonly crumbs: HTMLElement
  readonly entries: HTMLElement
}

/** One directory of the space as a table that follows its changes. */
export class DirectoryView {
  /** Of the directory that is shown, `''` for the root. */
  path = ''
  #drawing: Promise<void> | undefined
  #isStale = false

  constructor(
    private readonly space: Space,
    private readonly elements: DirectoryElements,
    private readonly actions: DirectoryActions,
  ) {}

  /** Of a name in the directory that is shown. */
  at(name: string): string {
    return this.path === '' ? name : `${this.path}/${name}`
  }

  show(path: string): void {
    this.path = path
    this.refresh()
  }

  /** Changes that come while it is drawn are drawn after it, once. */
  refresh(): void {
    this.#isStale = true
    this.#drawing ??= this.#drawAll()
      .catch((error: Error) => this.actions.failed(error))
      .finally(() => {
        this.#drawing = undefined
      })
  }

  async #drawAll(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false
      const path = this.path
      try {
        const entries = await this.space.list(path)
        if (path === this.path) this.#draw(entries)
      } catch (error) {
        if (path !== this.path) continue
        if (path === '' || (error as Error).name !== 'PathError') throw error
        // It was removed or renamed by somebody.
        this.show('')
      }
    }
  }

  #draw(entries: readonly ViewEntry[]): void {
    const names = this.path === '' ? [] : this.path.split('/')
    const crumbs = names.map((name, i) => this.#link(name, names.slice(0, i + 1).join('/')))
    this.elements.crumbs.replaceChildren(
      this.#link('everything', ''),
      ...crumbs.flatMap((crumb) => [' / ', crumb]),
    )
    this.elements.entries.replaceChildren(...entries.map((entry) => this.#row(entry)))
  }

  #row(entry: ViewEntry): HTMLTableRowElement {
    const { name, kind, role, version } = entry
    const path = this.at(name)
    const label = kind === 'dir' ? this.#link(`${name}/`, path) : name
    const about = role === 'main' ? [] : [' ', makeElement('span', { className: 'role' }, role)]
    const download = this.#button('Download', () => this.actions.download(path))
    const row = makeElement(
      'tr',
      { className: role },
      makeElement('td', { className: 'name' }, label, ...about),
      makeElement('td', { className: 'size' }, version ? sizeText(version.size) : ''),
      makeElement(
        'td',
        {},
        ...(kind === 'file' ? [download] : []),
        this.#button('Rename', () => this.actions.rename(path)),
        this.#button('Delete', () => this.actions.remove(path, kind)),
      ),
    )
    row.dataset.name = name
    return row
  }

  #button(text: string, onclick: () => void): HTMLButtonElement {
    return makeElement('button', { type: 'button', onclick }, text)
  }

  #link(text: string, path: string): HTMLAnchorElement {
    const onclick = (event: Event): void => {
      event.preventDefault()
      this.show(path)
    }
    return makeElement('a', { href: '#', onclick }, text)
  }
}
