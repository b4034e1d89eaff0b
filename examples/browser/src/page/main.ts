import { type Device, openDevice } from './device.js'
import { DirectoryView } from './directory-view.js'
import { makeElement, mustElement } from './elements.js'
import { forgetSettings, loadSettings, type Settings, saveSettings } from './settings.js'
import { Transfers } from './transfers.js'

const form = mustElement('settings', HTMLFormElement)
const files = mustElement('files', HTMLElement)
const problem = mustElement('problem', HTMLElement)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const text = (id: string): string => mustElement(id, HTMLInputElement).value.trim()
  const keepsBytes = mustElement('keeps-bytes', HTMLInputElement).checked
  const settings = { hub: text('hub'), token: text('token'), space: text('space'), keepsBytes }
  attempt(async () => {
    await start(settings)
    saveSettings(settings)
  })
})

const saved = loadSettings()
if (saved) attempt(() => start(saved))
// The page itself is there offline, too.
void navigator.serviceWorker?.register('service-worker.js')

async function start(settings: Settings): Promise<void> {
  const device = await openDevice(settings)
  // Without it the browser may clear the database when the disk is short of room; some ask the user.
  navigator.storage.persist().catch(() => undefined)
  form.hidden = true
  files.hidden = false
  showFiles(device)
  showStatus(device)
  mustElement('leave', HTMLButtonElement).onclick = () =>
    attempt(async () => {
      await device.close()
      forgetSettings()
      location.reload()
    })
}

function showFiles({ space }: Device): void {
  const transfers = new Transfers(mustElement('transfers', HTMLElement), space)
  const elements = { crumbs: mustElement('path', HTMLElement), entries: mustElement('entries', HTMLElement) }
  const view = new DirectoryView(space, elements, {
    failed: (error) => attempt(() => Promise.reject(error)),
    download: (path) => attempt(() => transfers.download(path)),
    rename: (path) => {
      const to = prompt('New path', path)
      if (to !== null && to !== path) attempt(() => space.move(path, to))
    },
    remove: (path, kind) => {
      if (kind !== 'dir' || confirm(`Delete ${path} with all that is in it?`)) {
        attempt(() => space.remove(path, { recursive: true }))
      }
    },
  })
  const upload = (list: FileList): void => {
    for (const file of list) {
      const path = view.at(file.name)
      attempt(() => transfers.upload(path, file))
    }
  }
  const add = mustElement('add', HTMLInputElement)
  add.onchange = () => {
    if (add.files) upload(add.files)
    add.value = ''
  }
  takeDrops(mustElement('drop', HTMLElement), upload)
  mustElement('new-directory', HTMLButtonElement).onclick = () => {
    const name = prompt('Name of the new directory')
    if (name) attempt(() => space.mkdir(view.at(name)))
  }
  space.changes$.subscribe(() => view.refresh())
  view.refresh()
}

function takeDrops(area: HTMLElement, upload: (files: FileList) => void): void {
  const over = (isOver: boolean) => (event: DragEvent) => {
    event.preventDefault()
    area.classList.toggle('over', isOver)
  }
  area.ondragover = over(true)
  area.ondragleave = over(false)
  area.ondrop = (event) => {
    over(false)(event)
    if (event.dataTransfer) upload(event.dataTransfer.files)
  }
}

function showStatus({ replica, space }: Device): void {
  const status = mustElement('status', HTMLOutputElement)
  space.status$.subscribe(({ connected, equal, unsent, uploading }) => {
    if (!connected) status.value = 'offline: changes are kept here until the hub is there'
    else if (unsent) status.value = 'this device may only read: changes stay here'
    else status.value = equal && !uploading ? 'in sync with the hub' : 'syncing'
  })
  replica.peers$.subscribe((peers) => {
    status.title = peers.map(({ error }) => error?.message ?? '').join('\n')
  })
}

/** What fails is shown, and may be tried again. */
function attempt(run: () => Promise<unknown>): void {
  problem.replaceChildren()
  run().catch((error: Error) => {
    // The user closed the picker.
    if (error.name === 'AbortError') return
    problem.replaceChildren(makeElement('span', {}, error.message))
  })
}
