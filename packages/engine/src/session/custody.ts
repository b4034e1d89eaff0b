import type { NodeEntry, WantedVersion } from '@tidemark/protocol'

/** Asks one peer for the bytes of these contents; resolves when its connection takes more. */
export type AskForBytes = (versions: readonly WantedVersion[]) => Promise<void>

/** What a hub does so that it has the bytes of all that it shows. */
export interface Custody {
  /**
   * A peer tells what it has and this side does not: before its first sync point, or where `isOfOld`. This side
   * may have lost it, bytes included. `receive` stores the entries.
   */
  catchUp<T>(entries: readonly NodeEntry[], receive: () => Promise<T>): Promise<T>
  /**
   * A peer tells of what it has just written, and has stored before: the bytes are here, if that was not long ago.
   * What a program wrote may come before its bytes, which that program may lose.
   */
  receive<T>(entries: readonly NodeEntry[], receive: () => Promise<T>): Promise<T>
  /** A peer that may upload has opened the space; nothing was sent to it yet. */
  opened(ask: AskForBytes): Promise<void>
}

/** Whether one of these shows contents again that it did not bring: a move of what others have deleted. */
export const isOfOld = (entries: readonly NodeEntry[]): boolean =>
  entries.some(({ loc }) => loc.some(({ value }) => value.held !== undefined))
