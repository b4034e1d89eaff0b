import { type Content, type Dot, dotKey, type Register, sameDot } from '@tidemark/protocol'
import type { NewContent } from '../user-op.js'
import { type VersionGroup, versions, visibleContents } from '../visibility.js'
import type { NodeDraft } from './node-draft.js'

/** The first content of a new or revived node: observes only what shows nothing. */
export function writeFirstContent(draft: NodeDraft, content: NewContent): void {
  draft.writeContent(contentOf(content), hidden(draft))
}

/** A new value of the shown version. The conflict copies beside it were not touched. */
export function writeEdit(draft: NodeDraft, content: NewContent): void {
  const { winner } = versions(draft.synced)
  const base = winner ? { base: winner.root } : {}
  draft.writeContent({ ...contentOf(content), ...base }, [
    ...siblingsOf(draft, winner?.dots ?? []),
    ...hidden(draft),
  ])
}

/** Takes the shown version away while copies remain; these stay copies and keep their names. */
export function writeWinnerVoid(draft: NodeDraft, winner: readonly Dot[]): void {
  const gone = new Set(winner.map(dotKey))
  const copies = visibleContents(draft.synced)
    .map(({ dot }) => dot)
    .filter((dot) => !gone.has(dotKey(dot)))
  draft.writeContent({ ...VOID, copies }, [...siblingsOf(draft, winner), ...hidden(draft)])
}

/** Takes one conflict copy away. Older voids that only did the same go with it: registers stay small. */
export function writeCopyVoid(draft: NodeDraft, copy: VersionGroup): void {
  const plainVoids = draft.synced.content.filter(
    ({ value }) => value.root === undefined && value.copies === undefined,
  )
  draft.writeContent(VOID, [...siblingsOf(draft, copy.dots), ...plainVoids])
}

/** Imported bytes beside a version that this device never had: observed nothing, ranks below. */
export function writeAdopted(draft: NodeDraft, content: NewContent): void {
  draft.writeContent({ ...contentOf(content), adopted: true }, [])
}

/**
 * Writes every visible version again under own dots: for a node that everybody else has collected, whose
 * old dots nobody would take.
 */
export function rewriteContents(draft: NodeDraft): void {
  const { winner, copies } = versions(draft.synced)
  for (const { top, dots } of winner ? [...copies, winner] : copies) {
    draft.writeContent(top.value, siblingsOf(draft, dots))
  }
}

const VOID: Content = { height: 0, size: 0, mtimeMs: 0 }

function contentOf({ root, height, size, mtimeMs, target }: NewContent): Content {
  return { root, height, size, mtimeMs, ...(target === undefined ? {} : { target }) }
}

/** Voids and versions that a deletion hides. */
function hidden(draft: NodeDraft): Register<Content> {
  const visible = new Set(visibleContents(draft.synced))
  return draft.synced.content.filter((sibling) => !visible.has(sibling))
}

function siblingsOf(draft: NodeDraft, dots: readonly Dot[]): Register<Content> {
  return draft.synced.content.filter(({ dot }) => dots.some((other) => sameDot(other, dot)))
}
