import type { ChunkId, NodeId, SpaceName } from '@tidemark/protocol'
import { importNodeId, mayReuse } from '../core/ops/node-ids.js'
import { Removals, writeRemovals } from '../core/ops/removals.js'
import { writeAdopted, writeEdit, writeFirstContent } from '../core/ops/write-content.js'
import { type Place, placeOf, writeMove, writePlace, writeTombstone } from '../core/ops/write-loc.js'
import type { NewContent } from '../core/user-op.js'
import { isExecutable, type Sha256 } from '../core/view/names.js'
import type { EntryKey, ViewEntry } from '../core/view-entry.js'
import { visibleContents } from '../core/visibility.js'
import type { Drafts } from './ops-drafts.js'
import type { CreateOp, EntryOps, ResolvedOps, Target } from './ops-resolve.js'

export interface OpsWriterOptions {
  readonly drafts: Drafts
  readonly space: SpaceName
  readonly sha256: Sha256
  randomNodeId(): NodeId
  /** A dead node of the synced tree with this last place. */
  findGrave(kind: ViewEntry['kind'], place: Place): Promise<NodeId | undefined>
  /** Reads ahead what `findGrave` and the drafts of these nodes need. */
  prefetch(what: {
    readonly ids: readonly NodeId[]
    readonly graves: readonly { readonly kind: ViewEntry['kind']; readonly place: Place }[]
  }): Promise<void>
  /** Whether the synced tree showed an entry of this identity before the batch. */
  isShown(key: EntryKey): Promise<boolean>
}

/** A file that the batch makes: by a creation, or split out of a node with conflict copies. */
interface NewFile {
  readonly kind: ViewEntry['kind']
  readonly target: Target
  readonly content: NewContent
  readonly executable: boolean
  readonly create?: CreateOp
}

/**
 * Turns resolved ops into writes on drafts, in the order: new directories, moves and edits, removals and
 * deletions, new files. New files come last because they may be a new life of a node that the same batch
 * removes.
 */
export class OpsWriter {
  readonly #options: OpsWriterOptions
  readonly #drafts: Drafts
  readonly #removals = new Removals()
  readonly #newFiles: NewFile[] = []
  readonly #createdDirs = new Map<string, NodeId>()
  /** Nodes that got a tombstone in this batch, by last place. */
  readonly #fresh = new Map<string, NodeId>()
  /** Entries that the ops meant to make, to put elsewhere or to remove. An edited one keeps its place. */
  readonly asked = new Set<EntryKey>()
  /** Nodes that somebody gave a sign of life in this batch. */
  readonly touched = new Set<NodeId>()
  readonly created = new Map<string, { readonly node: NodeId; readonly place: Place }>()

  constructor(options: OpsWriterOptions) {
    this.#options = options
    this.#drafts = options.drafts
  }

  async write({ creates, entries }: ResolvedOps): Promise<void> {
    const changed = [...entries.values()]
    const dirs = new Map(creates.filter(({ kind }) => kind === 'dir').map((op) => [op.ref, op]))
    for (const op of dirs.values()) await this.#createDirectory(op, dirs, new Set())
    for (const ops of changed) if (ops.entry.role === 'conflict') this.#changeCopy(ops)
    for (const ops of changed) {
      if (ops.move || ops.delete) this.asked.add(ops.key)
      if (ops.entry.kind === 'dir') await this.#changeDirectory(ops)
      else if (ops.entry.role !== 'conflict') await this.#changeFile(ops)
      if (ops.adopt) await this.#adopt(ops.entry, ops.adopt)
    }
    for (const [id, removals] of this.#removals.entries()) {
      const draft = await this.#drafts.get(id)
      if (writeRemovals(draft, removals)) this.#fresh.set(placeKey(draft.kind, placeOf(draft.synced)!), id)
    }
    for (const op of creates) {
      const { kind, parent, name, content, executable = false } = op
      if (content) this.#newFiles.push({ kind, target: { parent, name }, content, executable, create: op })
    }
    await this.#createFiles()
  }

  async #createFiles(): Promise<void> {
    const files = this.#newFiles.map((file) => {
      const place = this.#placeOf(file.target)
      return { ...file, place, importId: this.#importId(file.kind, place, file.create, file.content.root) }
    })
    await this.#options.prefetch({
      ids: files.flatMap(({ importId }) => importId ?? []),
      graves: files.filter(({ importId }) => importId === undefined),
    })
    for (const file of files) await this.#createFile(file)
  }

  async #createDirectory(
    op: CreateOp,
    dirs: ReadonlyMap<string, CreateOp>,
    below: ReadonlySet<string>,
  ): Promise<void> {
    if (this.#createdDirs.has(op.ref)) return
    if (below.has(op.ref)) throw new TypeError(`ref ${op.ref} is created inside itself`)
    if ('ref' in op.parent) {
      await this.#createDirectory(dirs.get(op.parent.ref)!, dirs, new Set(below).add(op.ref))
    }
    const place = this.#placeOf({ parent: op.parent, name: op.name })
    const id = await this.#idFor('dir', place, this.#importId('dir', place, op))
    this.#createdDirs.set(op.ref, id)
    await this.#bringToLife(id, 'dir', place, op.ref)
  }

  async #createFile(file: NewFile & { place: Place; importId: NodeId | undefined }): Promise<void> {
    const { kind, content, executable, create, place, importId } = file
    const id = await this.#idFor(kind, place, importId)
    const draft = await this.#bringToLife(id, kind, place, create?.ref)
    writeFirstContent(draft, content)
    // Of a new life too: who has collected the last one has its attribute no more.
    if (executable || draft.wasReceived) draft.writeAttr({ executable }, draft.synced.attr)
  }

  async #bringToLife(id: NodeId, kind: ViewEntry['kind'], place: Place, ref: string | undefined) {
    const draft = await this.#drafts.make(id, kind)
    writePlace(draft, place)
    this.touched.add(id)
    this.asked.add(id)
    if (ref !== undefined) this.created.set(ref, { node: id, place })
    return draft
  }

  #importId(
    kind: ViewEntry['kind'],
    place: Place,
    create: CreateOp | undefined,
    root?: ChunkId,
  ): NodeId | undefined {
    const { space, sha256 } = this.#options
    return create?.import ? importNodeId({ space, place, kind, root }, sha256) : undefined
  }

  /** The id rule: an import's own id or a dead node of this place if both trees agree, else a random one. */
  async #idFor(kind: ViewEntry['kind'], place: Place, importId: NodeId | undefined): Promise<NodeId> {
    const { randomNodeId, findGrave, isShown } = this.#options
    const id = importId ?? this.#fresh.get(placeKey(kind, place)) ?? (await findGrave(kind, place))
    if (id === undefined) return randomNodeId()
    // A directory that died may still be shown because something below it lives: the batch may name it.
    if (kind === 'dir' && (await isShown(id))) return randomNodeId()
    const draft = await this.#drafts.find(id)
    if (!draft) return id
    const known = draft.wasReceived ? draft.known : undefined
    const fits = mayReuse(draft.synced, kind, place, true) && mayReuse(known, kind, place, false)
    return fits ? id : randomNodeId()
  }

  async #changeDirectory({ entry, move, executable, delete: isDeleted }: EntryOps): Promise<void> {
    for (const id of entry.backing) {
      const draft = await this.#drafts.get(id)
      if (isDeleted) writeTombstone(draft, placeOf(draft.synced) ?? entry)
      if (move) {
        writeMove(draft, this.#placeOf(move))
        this.touched.add(id)
      }
    }
    if (executable !== undefined) await this.#setExecutable(entry, executable)
  }

  /** An edited, moved or renamed copy becomes a node of its own: its name must not swap with the winner's. */
  #changeCopy({ entry, edit, move, executable = entry.executable, delete: isDeleted }: EntryOps): void {
    const { version } = entry
    if (!version) return
    const isEdited = edit !== undefined && edit.root !== version.root
    const isSplit = isEdited || move !== undefined || executable !== entry.executable
    if (!isSplit && !isDeleted) return
    this.#removals.copy(entry.node, version.root, isDeleted ? 'delete' : 'split')
    if (isDeleted) return
    const target = move ?? { parent: { node: entry.parent }, name: entry.name }
    const content = edit ?? version
    this.#newFiles.push({ kind: entry.kind, target, content, executable })
  }

  /** Ops on the version that has the node's name; its conflict copies, if any, keep theirs. */
  async #changeFile({ entry, edit, move, executable, delete: isDeleted }: EntryOps): Promise<void> {
    if (isDeleted) {
      for (const id of entry.backing) this.#removals.winner(id, 'delete')
      return
    }
    const isEdited = edit !== undefined && edit.root !== entry.version?.root
    if (isEdited || move) {
      for (const id of entry.backing) if (id !== entry.node) this.#removals.winner(id, 'delete')
    }
    const draft = await this.#drafts.get(entry.node)
    if (move && entry.version && this.#removals.leavesCopies(draft)) {
      this.#removals.winner(entry.node, 'split')
      this.#newFiles.push({
        kind: entry.kind,
        target: move,
        content: edit ?? entry.version,
        executable: executable ?? entry.executable,
      })
      return
    }
    if (isEdited) writeEdit(draft, edit)
    if (move) writeMove(draft, this.#placeOf(move))
    if (isEdited || move) this.touched.add(entry.node)
    if (executable !== undefined) await this.#setExecutable(entry, executable)
  }

  async #setExecutable(entry: ViewEntry, executable: boolean): Promise<void> {
    for (const id of entry.backing) {
      const draft = await this.#drafts.get(id)
      if (executable !== isExecutable(draft.synced) || executable !== entry.executable)
        draft.writeAttr({ executable }, draft.synced.attr)
    }
  }

  async #adopt(entry: ViewEntry, content: NewContent): Promise<void> {
    const draft = await this.#drafts.get(entry.node)
    if (visibleContents(draft.known).some(({ value }) => value.root === content.root)) return
    writeAdopted(draft, content)
  }

  #placeOf({ parent, name }: Target): Place {
    return { parent: 'node' in parent ? parent.node : this.#createdDirs.get(parent.ref)!, name }
  }
}

const placeKey = (kind: ViewEntry['kind'], { parent, name }: Place): string => `${kind}/${parent}/${name}`
