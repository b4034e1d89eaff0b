import { checkName, type NodeId, PathError, RESERVED_NAME, ROOT } from '@tidemark/protocol'
import { checkTarget, type NewContent, type ParentRef, type UserOp } from '../core/user-op.js'
import { type EntryKey, entryKey, type ViewEntry } from '../core/view-entry.js'
import { liveLocs } from '../core/visibility.js'
import type { TreeReader } from './tree-reader.js'

export type CreateOp = Extract<UserOp, { type: 'create' }>

/** A place that an op names; `ref` is a directory of the same batch. */
export interface Target {
  readonly parent: { readonly node: NodeId } | { readonly ref: string }
  readonly name: string
}

/** All that a batch does to one entry that the user saw. */
export interface EntryOps {
  readonly key: EntryKey
  /** As the user saw it. */
  entry: ViewEntry
  edit?: NewContent
  move?: Target
  executable?: boolean
  delete?: true
  adopt?: NewContent
}

export interface ResolvedOps {
  readonly creates: readonly CreateOp[]
  readonly entries: ReadonlyMap<EntryKey, EntryOps>
}

/**
 * Finds the entries that ops name, brings together what concerns one entry, and checks that the tree
 * after the batch is one: no name twice, no directory inside itself, no parent that is not there.
 *
 * @throws {PathError} NOT_FOUND, NOT_A_DIRECTORY, IS_A_DIRECTORY, EXISTS or INVALID_NAME.
 * @throws {TypeError} ops of one batch contradict each other, or a content is none of its kind of entry.
 */
export async function resolveOps(
  ops: readonly UserOp[],
  synced: TreeReader,
  received: TreeReader,
): Promise<ResolvedOps> {
  const creates = new Map<string, CreateOp>()
  const entries = new Map<EntryKey, EntryOps>()
  const targets = new TargetChecks(synced, entries, creates)
  for (const op of ops) {
    if (op.type === 'create') addCreate(creates, op)
    else await addEntryOp(entries, op, synced, received)
  }
  for (const op of creates.values()) await targets.check({ parent: op.parent, name: op.name })
  for (const { entry, move } of entries.values()) {
    if (!move) continue
    await targets.check(move)
    if (entry.kind === 'dir') await targets.checkNotInside(entry, move)
  }
  return { creates: [...creates.values()], entries }
}

function addCreate(creates: Map<string, CreateOp>, op: CreateOp): void {
  if (creates.has(op.ref)) throw new TypeError(`ref ${op.ref} stands for two creations`)
  if (op.kind === 'dir' ? op.content !== undefined : op.content === undefined) {
    throw new TypeError(`creation of a ${op.kind} ${op.kind === 'dir' ? 'with' : 'without'} content`)
  }
  if (op.content) checkTarget(op.kind, op.content)
  creates.set(op.ref, op)
}

async function addEntryOp(
  entries: Map<EntryKey, EntryOps>,
  op: Exclude<UserOp, CreateOp>,
  synced: TreeReader,
  received: TreeReader,
): Promise<void> {
  let all = entries.get(op.entry)
  if (!all) {
    const shown = await synced.entry(op.entry)
    const entry = shown ?? (op.type === 'adopt' ? await received.entry(op.entry) : undefined)
    if (!entry) throw new PathError('NOT_FOUND', op.entry, `no entry ${op.entry} is shown`)
    all = { key: entryKey(entry), entry }
    entries.set(op.entry, all)
  }
  if ('sawExecutable' in op && op.sawExecutable !== undefined)
    all.entry = { ...all.entry, executable: op.sawExecutable }
  const { entry } = all
  switch (op.type) {
    case 'edit':
    case 'adopt':
      if (entry.kind === 'dir') throw new PathError('IS_A_DIRECTORY', entry.name)
      checkTarget(entry.kind, op.content)
      all[op.type] = op.content
      break
    case 'attr':
      all.executable = op.executable
      break
    case 'move':
      if (!('node' in op.parent) || op.parent.node !== entry.parent || op.name !== entry.name) {
        all.move = { parent: op.parent, name: op.name }
      }
      break
    case 'delete':
      all.delete = true
  }
  if (all.delete && (all.edit || all.move || all.adopt)) {
    throw new TypeError(`${entry.name}: a batch deletes an entry that it also changes`)
  }
}

class TargetChecks {
  readonly #synced: TreeReader
  readonly #entries: ReadonlyMap<EntryKey, EntryOps>
  readonly #creates: ReadonlyMap<string, CreateOp>
  readonly #taken = new Set<string>()
  /** Directories whose way up to the root is known to pass no moved directory twice. */
  readonly #rooted = new Set<string>([ROOT])

  constructor(
    synced: TreeReader,
    entries: ReadonlyMap<EntryKey, EntryOps>,
    creates: ReadonlyMap<string, CreateOp>,
  ) {
    this.#synced = synced
    this.#entries = entries
    this.#creates = creates
  }

  async check({ parent, name }: Target): Promise<void> {
    checkName(name)
    const id = await this.#parentKey(parent)
    if (id === ROOT && name === RESERVED_NAME)
      throw new PathError('INVALID_NAME', name, `${name} is reserved`)
    const place = `${id}/${name}`
    if (this.#taken.has(place)) throw new PathError('EXISTS', name, `${name}: a batch puts two entries here`)
    this.#taken.add(place)
    if ('ref' in parent) return
    const occupant = await this.#synced.lookup(parent.node, name)
    if (!occupant) return
    const ops = this.#entries.get(entryKey(occupant))
    if (!ops?.delete && !ops?.move) throw new PathError('EXISTS', name)
  }

  /** @throws {PathError} INVALID_NAME: the directory would end up inside itself. */
  async checkNotInside(entry: ViewEntry, move: Target): Promise<void> {
    const passed = new Set<string>([entry.node])
    let at: ParentRef = move.parent
    for (;;) {
      const key: string = 'ref' in at ? `ref:${at.ref}` : at.node
      if (this.#rooted.has(key)) break
      if (passed.has(key)) {
        throw new PathError('INVALID_NAME', move.name, `${entry.name} cannot be moved into itself`)
      }
      passed.add(key)
      at = await this.#parentAfter(at)
    }
    for (const key of passed) this.#rooted.add(key)
  }

  async #parentAfter(dir: ParentRef): Promise<ParentRef> {
    if ('ref' in dir) return this.#creates.get(dir.ref)!.parent
    const moved = this.#entries.get(dir.node)?.move
    if (moved) return moved.parent
    const entry = await this.#synced.entry(dir.node)
    return { node: entry?.parent ?? ROOT }
  }

  async #parentKey(parent: ParentRef): Promise<string> {
    if ('ref' in parent) {
      const made = this.#creates.get(parent.ref)
      if (!made)
        throw new PathError('NOT_FOUND', parent.ref, `no creation of this batch has the ref ${parent.ref}`)
      if (made.kind !== 'dir') throw new PathError('NOT_A_DIRECTORY', made.name)
      return `ref:${parent.ref}`
    }
    if (parent.node === ROOT) return ROOT
    const entry = await this.#synced.entry(parent.node)
    if (entry) {
      if (entry.kind !== 'dir') throw new PathError('NOT_A_DIRECTORY', entry.name)
      return entry.node
    }
    // A directory that merged into another since the caller looked.
    const node = await this.#synced.node(parent.node)
    if (!node || liveLocs(node).length === 0) {
      throw new PathError('NOT_FOUND', parent.node, `no directory ${parent.node} is shown`)
    }
    if (node.kind !== 'dir') throw new PathError('NOT_A_DIRECTORY', parent.node)
    return node.id
  }
}
