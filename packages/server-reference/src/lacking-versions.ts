import type { KeyValueOp, KeyValueStore } from '@tidemark/engine'
import type { ChunkId, NodeId, SpaceName, WantedVersion } from '@tidemark/protocol'

/** A content of a node whose bytes the hub lacks. */
export interface LackingVersion extends WantedVersion {
  readonly node: NodeId
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Contents of one space that the hub shows and lacks: a row each, below `lacking/<space>/`. */
export class LackingVersions {
  readonly #prefix: string

  constructor(
    private readonly store: KeyValueStore,
    space: SpaceName,
  ) {
    this.#prefix = `lacking/${space}/`
  }

  /** Durable with the next durable batch. */
  add(versions: readonly LackingVersion[]): Promise<void> {
    return this.#batch(
      versions.map((version) => ({
        type: 'put',
        key: this.#key(version),
        value: encoder.encode(JSON.stringify([version.height, version.size])),
      })),
    )
  }

  remove(versions: readonly LackingVersion[]): Promise<void> {
    return this.#batch(versions.map((version) => ({ type: 'del', key: this.#key(version) })))
  }

  /** At most `limit`, in order, behind `after`. */
  async read(after: LackingVersion | undefined, limit: number): Promise<readonly LackingVersion[]> {
    const gte = after ? `${this.#key(after)}~` : this.#prefix
    const found: LackingVersion[] = []
    for await (const page of this.store.range({ gte, lt: `${this.#prefix}~` })) {
      for (const [key, value] of page) {
        const [node, root] = key.slice(this.#prefix.length).split('/') as [NodeId, ChunkId]
        const [height, size] = JSON.parse(decoder.decode(value)) as [number, number]
        found.push({ node, root, height, size })
        if (found.length === limit) return found
      }
    }
    return found
  }

  #key({ node, root }: LackingVersion): string {
    return `${this.#prefix}${node}/${root}`
  }

  async #batch(ops: readonly KeyValueOp[]): Promise<void> {
    if (ops.length > 0) await this.store.batch(ops, { sync: false })
  }
}
