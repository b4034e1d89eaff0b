import { DOTS_MAX, type SyncPoint, type Vector } from '@tidemark/protocol'

/** Says the end of a round; several times where one message cannot name all that is lost. */
export async function sendSyncPoint(
  point: Omit<SyncPoint, 'lost'>,
  lost: Vector,
  send: (point: SyncPoint) => Promise<void>,
): Promise<void> {
  const dots = Array.from(lost, ([rid, seq]) => ({ rid, seq }))
  let from = 0
  do {
    await send({ ...point, lost: dots.slice(from, from + DOTS_MAX) })
    from += DOTS_MAX
  } while (from < dots.length)
}
