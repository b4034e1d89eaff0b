import {
  bytesToHex,
  DatabaseError,
  INLINE_BYTES_MAX,
  type NodeId,
  PathError,
  parseRelativePath,
  REPLICA_ID_BYTES,
  type SpaceName,
  type UploadId,
  type WantedVersion,
} from '@tidemark/protocol'
import { type Observable, Subject } from 'rxjs'
import { OpenCalls } from './adapters/open-calls.js'
import type { ChunkedFile, LinkState, SpaceBinding, TransferOptions, Upload } from './binding.js'
import { chunkSource } from './chunking/chunk-source.js'
import { checkMtime, type NewContent } from './core/user-op.js'
import type { ViewChange, ViewEntry } from './core/view-entry.js'
import { mustKeepMode, recordMode } from './database/recorded-mode.js'
import { SpaceDatabase, type SpaceMode } from './database/space-database.js'
import type { Refused } from './database/space-refusals.js'
import type { ByteSource } from './ports/byte-source.js'
import { RoundPatience } from './round-patience.js'
import { Housekeeper } from './session/housekeeper.js'
import type { Session } from './session/session.js'
import { SpacePeers } from './session/space-peers.js'
import { makeSpaceBinding } from './space-binding.js'
import { SpaceLink } from './space-link.js'
import { mkdirOps, moveOps, mustDirectory, mustResolve, removeOps, writeOps } from './space-ops.js'
import type { OpenSpaceParts, WriteOptions } from './space-options.js'
import { ToldRefusals } from './space-told-refusals.js'
import { bytesSource, keptOpen, type ReadRange, readVersion } from './transfer/byte-streams.js'
import { ChunkCache } from './transfer/chunk-cache.js'
import { Downloader } from './transfer/downloader.js'
import { LocalFiles } from './transfer/local-files.js'
import { PendingUploads, rowsOfAdopted } from './transfer/pending-uploads.js'
import { RetryPolicy } from './transfer/retry.js'
import { RidingChunks } from './transfer/riding-chunks.js'
import type { UploadHint } from './transfer/upload-hints.js'
import { UploadJournal } from './transfer/upload-journal.js'
import { Uploader } from './transfer/uploader.js'
import { WantedContents } from './transfer/wanted-contents.js'

/** Used by `Replica.openSpace`. @throws {TypeError} opened before in another mode. */
export async function openSpace(parts: OpenSpaceParts): Promise<Space> {
  const { storage, platform, space, device, blobs, bound = false } = parts
  const { hasher, clock, random } = platform
  const cache = new ChunkCache()
  const files = new LocalFiles({ space, cache, blobs, hasher })
  const mode = bound ? 'bound' : 'direct'
  await mustKeepMode(storage, space, mode)
  const database = await SpaceDatabase.open({
    storage,
    space,
    device,
    mode,
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
    adopted: {
      holds: async ({ root }) => (await files.get(root)) !== undefined,
      rows: rowsOfAdopted,
    },
  })
  await recordMode(storage, space, mode)
  return new Space(parts, database, { cache, files })
}

/**
 * A tree of files that every member sees the same. Verbs like those of a file system; paths are relative,
 * `/` between names, `''` is the root. Local writes are accepted offline too.
 */
export class Space implements AsyncDisposable {
  readonly name: SpaceName
  /** The sessions that carry this space. */
  readonly peers: SpacePeers
  readonly #parts: OpenSpaceParts
  readonly #database: SpaceDatabase
  readonly #files: LocalFiles
  readonly #cache: ChunkCache
  readonly #uploader: Uploader
  readonly #downloader: Downloader
  readonly #pending: PendingUploads
  readonly #wanted: WantedContents
  readonly #wantedMore = new Subject<void>()
  readonly #hints = new Subject<UploadHint>()
  readonly #changed = new Subject<void>()
  readonly #changes = new Subject<readonly ViewChange[]>()
  readonly #refusals: ToldRefusals
  /** That of the hub of before. */
  #hub: Session | undefined
  readonly #link: SpaceLink
  readonly #abort = new AbortController()
  readonly #calls = new OpenCalls()
  readonly #stopListening: () => void
  readonly #patience: RoundPatience
  readonly #housekeeper: Housekeeper
  #binding: SpaceBinding | undefined
  #closed: Promise<void> | undefined

  constructor(
    parts: OpenSpaceParts,
    database: SpaceDatabase,
    { cache, files }: { readonly cache: ChunkCache; readonly files: LocalFiles },
  ) {
    const { platform, space, pace, compression, largeBodies } = parts
    const { hasher, compressor, gear, timers, random } = platform
    this.name = space
    this.#parts = parts
    this.#database = database
    this.#cache = cache
    this.#files = files
    const transfer = {
      authority: () => this.peers.hub?.authority,
      client: () => this.peers.hub?.client,
      hasher,
      compressor,
      retry: new RetryPolicy({ timers, random }),
      pace,
    }
    const hints = {
      newUploadId: () => bytesToHex(random.bytes(REPLICA_ID_BYTES)) as UploadId,
      tell: (hint: UploadHint) => this.peers.hint(hint),
    }
    this.#uploader = new Uploader({
      ...transfer,
      compression,
      largeBodies,
      gear,
      hints,
      journal: new UploadJournal({ database, hasher }),
    })
    this.#downloader = new Downloader({ ...transfer, local: this.#files })
    this.#pending = new PendingUploads({
      database,
      files: this.#files,
      uploader: this.#uploader,
      timers,
      random,
      onChange: () => this.#publishLink(),
    })
    this.#wanted = new WantedContents(database)
    this.#refusals = new ToldRefusals(parts.bound ? undefined : database)
    this.#link = new SpaceLink(space, () => this.#linkState())
    this.peers = new SpacePeers({
      database,
      hasher,
      cache: new RidingChunks(cache, pace),
      onChange: () => this.#publishLink(),
      onDiffers: () => this.#housekeeper.auditSoon(),
      onWant: (versions) => this.#takeWanted(versions),
      onHint: (hint) => this.#hints.next(hint),
      // What cannot be forgotten now is told again.
      onRefused: (all) => void this.#refusals.take(all).catch(() => undefined),
    })
    this.#housekeeper = new Housekeeper({
      database,
      peers: this.peers,
      timers,
      everyMs: parts.collectEveryMs,
    })
    this.#patience = new RoundPatience(
      timers,
      () => database.isWhole,
      () => this.#changed.next(),
    )
    this.#stopListening = database.onChange(({ view }) => {
      this.#patience.changed()
      this.#changed.next()
      // What this replica had before it began anew has bytes to upload, perhaps, also where nothing shows that.
      this.#pending.wake()
      if (view.length > 0) this.#changes.next(view)
    })
    this.#publishLink()
    if (!parts.bound) this.#pending.run(this.#abort.signal)
  }

  get mode(): SpaceMode {
    return this.#database.mode
  }

  /** What a folder works on. @throws {TypeError} the space was not opened with `bound`. */
  get binding(): SpaceBinding {
    if (!this.#parts.bound) throw new TypeError('the space was not opened to be bound to a folder')
    this.#binding ??= makeSpaceBinding({
      name: this.name,
      database: this.#database,
      hasher: this.#parts.platform.hasher,
      gear: this.#parts.platform.gear,
      uploader: this.#uploader,
      downloader: this.#downloader,
      wanted: this.#wanted,
      wanted$: this.#wantedMore,
      hints$: this.#hints,
      changed$: this.#changed,
      patience: this.#patience,
      link: this.#link,
    })
    return this.#binding
  }

  /** Changes of the tree, local and remote ones, in the order in which they were applied. */
  get changes$(): Observable<readonly ViewChange[]> {
    return this.#changes.asObservable()
  }

  /**
   * What was written here and the hub refused: it has been taken back, the tree is as the hub has it. A folder keeps
   * the bytes where they are; a program that wrote them without one has them from elsewhere. What nobody listened to
   * is told to the first who does, also after a restart; what was told just before the program ended may be told twice.
   */
  get refused$(): Observable<Refused> {
    return this.#refusals.refused$
  }

  /** Whether the hub is there, and whether both ends hold the same. */
  get status$(): Observable<LinkState> {
    return this.#link.state$
  }

  /** Entries of a directory, sorted by name. @throws {PathError} NOT_FOUND, NOT_A_DIRECTORY. */
  async list(path = ''): Promise<readonly ViewEntry[]> {
    return this.#children(await mustDirectory(this.#database.synced, parseRelativePath(path)))
  }

  /** @returns `undefined` where nothing is; also for the root, which has no entry. @throws {PathError} INVALID_NAME. */
  async stat(path: string): Promise<ViewEntry | undefined> {
    return this.#database.synced.resolve(parseRelativePath(path))
  }

  /**
   * Deleted files and directories that are remembered until every member of the group has heard of it. Looks at
   * each of them.
   */
  tombstones(): Promise<number> {
    return this.#database.gc.countDead()
  }

  /** Files, directories and links that were lost here, and that an audit brought back, since this was opened. */
  get repaired(): number {
    return this.#database.repaired
  }

  /** Every entry that is a conflict copy or lost its name to another, with its path. */
  async conflicts(): Promise<readonly { readonly path: string; readonly entry: ViewEntry }[]> {
    const found: { path: string; entry: ViewEntry }[] = []
    for await (const { path, entry } of this.walk()) if (entry.role !== 'main') found.push({ path, entry })
    return found
  }

  /** Everything below a directory, parents first. @throws {PathError} NOT_FOUND, NOT_A_DIRECTORY. */
  async *walk(path = ''): AsyncGenerator<{ readonly path: string; readonly entry: ViewEntry }> {
    yield* this.#walk(path, await mustDirectory(this.#database.synced, parseRelativePath(path)))
  }

  /**
   * The bytes of a file, in order; `range.end` is exclusive. Each chunk is verified before it is seen.
   * @throws {PathError} NOT_FOUND, IS_A_DIRECTORY; {ChunksMissingError} nobody in reach has the bytes;
   *   {DatabaseError} CLOSED.
   */
  async *read(path: string, range: ReadRange = {}): AsyncGenerator<Uint8Array> {
    const entry = await this.#must(path)
    if (!entry.version) throw new PathError('IS_A_DIRECTORY', path)
    const { version } = entry
    yield* this.#calls.each(range.signal, (signal) =>
      readVersion(this.#downloader, version, { ...range, signal }),
    )
  }

  /** The whole file. For small ones. */
  async readFile(path: string, range: ReadRange = {}): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for await (const part of this.read(path, range)) parts.push(part)
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }

  /**
   * Creates or overwrites a file. Durable on this device when it resolves. With `blobs` it needs no hub: bytes
   * that a hub does not take, or that may not be sent, wait here, as `settled` and `status$` say.
   *
   * A write that is based on another version than the one shown becomes a conflict copy beside it.
   *
   * @throws {PathError} NOT_FOUND: no parent; IS_A_DIRECTORY; INVALID_NAME. {RangeError} `mtimeMs` is out of bounds.
   *   {DatabaseError} CLOSED; BEGINS_ANEW, or what the database answers: write again later.
   */
  async write(
    path: string,
    data: Uint8Array | string | ByteSource,
    options: WriteOptions = {},
  ): Promise<ViewEntry> {
    this.#mustBeDirect()
    if (options.mtimeMs !== undefined) checkMtime(options.mtimeMs)
    const basedOn = options.basedOn ?? (await this.stat(path))?.version
    const source = typeof data === 'object' && 'read' in data ? data : bytesSource(data)
    const { file, isPending } = await this.#calls.run(options.signal, (signal) =>
      this.#keep(source, { ...options, signal }),
    )
    const { root, height, size } = file
    const mtimeMs = options.mtimeMs ?? this.#parts.platform.clock.nowMs()
    const content: NewContent = { root, height, size, mtimeMs }
    await this.#database.commit(
      (tree) => writeOps(tree, path, { content, basedOn, executable: options.executable }),
      () => ({ ops: isPending ? this.#pending.rows(content) : [], touch: [] }),
    )
    if (isPending) this.#pending.wake()
    return this.#must(path)
  }

  /** @throws {PathError} NOT_FOUND: no parent; EXISTS. */
  async mkdir(path: string): Promise<ViewEntry> {
    this.#mustBeDirect()
    await this.#database.commit((tree) => mkdirOps(tree, path))
    return this.#must(path)
  }

  /** Moves or renames; one record, whatever is inside. @throws {PathError} NOT_FOUND, EXISTS, INVALID_NAME. */
  async move(from: string, to: string): Promise<ViewEntry> {
    this.#mustBeDirect()
    await this.#database.commit((tree) => moveOps(tree, from, to))
    return this.#must(to)
  }

  /** Deletes a file, or a directory with all that it shows. @throws {PathError} NOT_FOUND, NOT_EMPTY. */
  async remove(path: string, options: { readonly recursive?: boolean } = {}): Promise<void> {
    this.#mustBeDirect()
    await this.#database.commit((tree) => removeOps(tree, path, options.recursive === true))
  }

  /**
   * Resolves when the hub holds what we hold and we hold what it holds, bytes included. A hub that cannot take bytes
   * now is waited for.
   *
   * @throws {AccessError} FORBIDDEN: all was received, and what was written here is not sent, because this
   *   device may only read; {DatabaseError} CLOSED; whatever bytes of a file could not be sent for, where another
   *   attempt hardly mends it.
   */
  settled(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#calls.run(options.signal, async (signal) => {
      await this.#link.equal(signal)
      if (!this.#parts.bound) await this.#pending.empty(signal)
    })
  }

  /** Ends its exchange with every peer, and whoever waits; the replica and its links go on. Idempotent. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = this.#close()
      this.#parts.onClose(this.#closed)
    }
    return this.#closed
  }

  async #close(): Promise<void> {
    const reason = new DatabaseError('CLOSED', `the space ${this.name} is closed`)
    this.#abort.abort(reason)
    this.#calls.end(reason)
    this.#stopListening()
    this.#patience.close()
    this.peers.close()
    await this.#housekeeper.close()
    await this.#pending.stopped
    await this.#database.close()
    this.#changed.complete()
    this.#changes.complete()
    this.#wantedMore.complete()
    this.#refusals.complete()
    this.#hints.complete()
    this.#link.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Makes the bytes safe before the entry exists. @returns whether they must still be uploaded. */
  async #keep(
    source: ByteSource,
    { signal, fingerprint, onProgress }: WriteOptions & { readonly signal: AbortSignal },
  ): Promise<{ readonly file: ChunkedFile; readonly isPending: boolean }> {
    const { blobs, platform } = this.#parts
    const { hasher, gear } = platform
    const transfer: TransferOptions = { signal, ...(onProgress ? { onProgress } : {}) }
    if (!blobs) {
      const resume = fingerprint === undefined ? {} : { resume: { fingerprint, isSettled: () => true } }
      return { file: await this.#uploader.store(source, { ...transfer, ...resume }), isPending: false }
    }
    const file = await chunkSource(source, { hasher, gear, signal })
    const isSmall = file.height === 0 && file.size <= INLINE_BYTES_MAX
    await this.#files.store(file, source, signal)
    if (isSmall || !this.peers.hub) {
      if (isSmall && file.size > 0) await this.#letRide(file, source)
      return { file, isPending: true }
    }
    const upload: Upload = { file, open: async () => keptOpen(source) }
    return { file, isPending: !(await this.#isSent(upload, signal, transfer)) }
  }

  /**
   * Others hear of the entry when its bytes are at the hub; a hub that does not take them keeps nobody from
   * writing.
   */
  async #isSent(upload: Upload, signal: AbortSignal, transfer: TransferOptions): Promise<boolean> {
    const ends = new AbortController()
    const end = (): void => ends.abort()
    signal.addEventListener('abort', end, { once: true })
    // Also while it waits for its turn, when nothing of it is on its way.
    const watching = this.#link.state$.subscribe(({ connected }) => connected || end())
    try {
      await this.#uploader.storeAtOnce([upload], { ...transfer, signal: ends.signal })
      return true
    } catch {
      signal.throwIfAborted()
      // What keeps it from being sent is said by the next attempt.
      return false
    } finally {
      watching.unsubscribe()
      signal.removeEventListener('abort', end)
    }
  }

  /** Rides along with its entry while it is in the cache. */
  async #letRide({ root, size }: ChunkedFile, source: ByteSource): Promise<void> {
    // A copy: who wrote may use the buffer again. And hashed: it may have changed since it was chunked.
    const bytes = (await source.read(0, size)).slice()
    if (bytesToHex(this.#parts.platform.hasher.sha256(bytes)) === root) this.#cache.put(root, bytes)
  }

  /** The hub lacks these. */
  async #takeWanted(versions: readonly WantedVersion[]): Promise<void> {
    if (!this.#parts.bound) return this.#pending.takeWanted(versions)
    await this.#wanted.add(versions)
    this.#wantedMore.next()
  }

  async #children(dir: NodeId): Promise<ViewEntry[]> {
    const entries: ViewEntry[] = []
    for await (const page of this.#database.synced.children(dir)) entries.push(...page)
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** By node: a directory that moves meanwhile is walked on. */
  async *#walk(
    path: string,
    dir: NodeId,
  ): AsyncGenerator<{ readonly path: string; readonly entry: ViewEntry }> {
    for (const entry of await this.#children(dir)) {
      const at = path === '' ? entry.name : `${path}/${entry.name}`
      yield { path: at, entry }
      if (entry.kind === 'dir') yield* this.#walk(at, entry.node)
    }
  }

  #must(path: string): Promise<ViewEntry> {
    return mustResolve(this.#database.synced, path)
  }

  #mustBeDirect(): void {
    if (this.#parts.bound) throw new TypeError('the space is bound to a folder: write there')
  }

  #linkState(): LinkState {
    const hub = this.peers?.hub
    const error = hub ? undefined : (this.peers?.refusal ?? this.#parts.linkError())
    return {
      ...(error ? { error } : {}),
      configured: this.#parts.isConfigured(),
      connected: hub !== undefined,
      everSynced: this.#database.everSynced,
      equal: hub?.exchange.isEqual === true,
      readOnly: hub?.exchange.isReadOnly === true,
      unsent: hub?.exchange.isReadOnly === true && hub.exchange.hasUnsent,
      uploading: !this.#parts.bound && !this.#pending.isEmpty,
    }
  }

  /** For its replica: a link has come, gone, or failed. */
  linkChanged(): void {
    this.#publishLink()
  }

  #publishLink(): void {
    if (this.#closed) return
    const hub = this.peers.hub?.session
    const isAnother = hub !== undefined && hub !== this.#hub
    this.#hub = hub
    // Refused bytes are worth another attempt.
    if ((this.#link.publish() || isAnother) && !this.#parts.bound) this.#pending.retryFailed()
  }
}
