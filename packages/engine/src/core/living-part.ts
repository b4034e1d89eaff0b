import { EMPTY_CONTEXT, type NodeEntry, type Sibling } from '@tidemark/protocol'
import { maxSibling } from './register.js'
import { chosenLoc, liveLocs, visibleContents } from './visibility.js'

/**
 * What a node shows, of one that lives or is above something that does: replicas that hold the same writes agree
 * on it, whatever each of them has collected. Without contexts: they belong to the dot.
 */
export function livingPart(entry: NodeEntry): NodeEntry {
  const live = liveLocs(entry)
  const place = live.length > 0 ? live : [chosenLoc(entry)].filter((sibling) => sibling !== undefined)
  return {
    ...entry,
    loc: place.map(bare),
    content: visibleContents(entry).map(bare),
    attr: [maxSibling(entry.attr)].filter((sibling) => sibling !== undefined).map(bare),
  }
}

const bare = <V>(sibling: Sibling<V>): Sibling<V> => ({ ...sibling, ctx: EMPTY_CONTEXT })
