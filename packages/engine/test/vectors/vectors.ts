import { bytesToHex, encodeNodeEntry } from '@tidemark/protocol'
import { type Json, toJson } from '../../../protocol/test/vectors/vectors.js'
import { buildManifest } from '../../src/chunking/manifest-tree.js'
import { joinEntries } from '../../src/core/register.js'
import { referenceView } from '../../src/core/view/reference.js'
import type { ViewEntry } from '../../src/core/view-entry.js'
import { JOIN_CASES } from './join-cases.js'
import { chunksOf, digestOfNodes, MANIFEST_CASES, type ManifestCase } from './manifest-cases.js'
import { VIEW_CASES } from './view-cases.js'
import { sha256 } from './vocabulary.js'

/** By place: the order in which a view is compared. */
export const inOrder = (view: readonly ViewEntry[]): readonly ViewEntry[] =>
  [...view].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))

const placeOf = ({ parent, name }: ViewEntry): string => `${parent}/${name}`

export function manifestVector(input: ManifestCase): Json {
  const chunks = chunksOf(input)
  const size = chunks.lengths.reduce((sum, length) => sum + length, 0)
  const hasher = { sha256, sha256Async: async (bytes: Uint8Array) => sha256(bytes) }
  const { root, height, manifest } = buildManifest(chunks, size, hasher)
  return {
    ...input,
    size,
    root,
    height,
    nodeCount: manifest.length,
    nodeIds: digestOfNodes(manifest),
    ...(manifest.length === 1 ? { rootNode: bytesToHex(manifest[0]!.bytes) } : {}),
  }
}

/** File name → content, as the generator writes them and the tests expect them. */
export function vectorFiles(): { readonly [file: string]: Json } {
  return {
    'join.json': JOIN_CASES.map(({ name, a, b }) => ({
      name,
      a: toJson(a),
      b: toJson(b),
      joined: toJson(joinEntries(a, b)),
      hex: bytesToHex(encodeNodeEntry(joinEntries(a, b))),
    })),
    'view.json': VIEW_CASES.map(({ name, entries }) => ({
      name,
      entries: toJson(entries),
      view: toJson(inOrder(referenceView(entries, sha256))),
    })),
    'manifest.json': MANIFEST_CASES.map(manifestVector),
  }
}
