import type { NodeId } from '@tidemark/protocol'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { encodeText } from './json-row.js'
import type { Transaction } from './transaction.js'

const DIGITS = 14
const decoder = new TextDecoder()

const lseqKey = (lseq: number): string => lseq.toString(16).padStart(DIGITS, '0')

export interface LogEntry {
  readonly lseq: number
  readonly node: NodeId
}

/**
 * The order in which registers of a space changed here: each node once, at its last change. A peer's
 * cursor is a position in it.
 */
export class ChangeLog {
  readonly #byLseq: string
  readonly #byNode: string

  constructor(prefix: string) {
    this.#byLseq = `${prefix}l/`
    this.#byNode = `${prefix}x/`
  }

  /**
   * Moves nodes to the head of the log.
   *
   * @param after The last position given out.
   * @returns for each node its new position and the one it had, 0 for none.
   */
  async append(
    txn: Transaction,
    nodes: readonly NodeId[],
    after: number,
  ): Promise<{ node: NodeId; lseq: number; previous: number }[]> {
    const rows = await txn.getMany(nodes.map((node) => this.#byNode + node))
    return nodes.map((node, i) => {
      const row = rows[i]
      const previous = row === undefined ? 0 : Number.parseInt(decoder.decode(row), 16)
      if (previous > 0) txn.del(this.#byLseq + lseqKey(previous))
      const lseq = after + i + 1
      const key = lseqKey(lseq)
      txn.put(this.#byLseq + key, encodeText(node))
      txn.put(this.#byNode + node, encodeText(key))
      return { node, lseq, previous }
    })
  }

  /** Nodes that are no more. */
  async remove(txn: Transaction, nodes: readonly NodeId[]): Promise<void> {
    const rows = await txn.getMany(nodes.map((node) => this.#byNode + node))
    for (const [i, node] of nodes.entries()) {
      const row = rows[i]
      if (row === undefined) continue
      txn.del(this.#byLseq + decoder.decode(row))
      txn.del(this.#byNode + node)
    }
  }

  /** Entries above `after`, ascending, in pages. */
  async *read(kv: KeyValueReader, after: number): AsyncGenerator<readonly LogEntry[]> {
    const range = { gte: this.#byLseq + lseqKey(after + 1), lt: `${this.#byLseq}~` }
    for await (const page of kv.range(range)) {
      yield page.map(([key, value]) => ({
        lseq: Number.parseInt(key.slice(this.#byLseq.length), 16),
        node: decoder.decode(value) as NodeId,
      }))
    }
  }
}
