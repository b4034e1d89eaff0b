import type { Message } from '@tidemark/protocol'
import type { BlobAuthority } from '../transfer/blob-authority.js'

export type BlobRequest = Extract<
  Message,
  { type: 'need' | 'grant-puts' | 'stored' | 'put-inline' | 'locate' }
>

export function isBlobRequest(message: Message): message is BlobRequest {
  switch (message.type) {
    case 'need':
    case 'grant-puts':
    case 'stored':
    case 'put-inline':
    case 'locate':
      return true
    default:
      return false
  }
}

/** Asks the authority and forms the answer. @throws what the authority throws. */
export async function answerBlobRequest(
  authority: BlobAuthority,
  message: BlobRequest,
  signal: AbortSignal,
): Promise<Message> {
  const { request } = message
  switch (message.type) {
    case 'need':
      return { type: 'needed', request, chunks: await authority.need(message.chunks, signal) }
    case 'grant-puts':
      return { type: 'grants', request, grants: await authority.grantPuts(message.blobs, signal) }
    case 'stored':
      return { type: 'stored-result', request, blobs: await authority.stored(message.blobs, signal) }
    case 'put-inline':
      await authority.putInline(message.chunks, signal)
      return { type: 'stored-result', request, blobs: [] }
    case 'locate': {
      const { blobs, chunks } = await authority.locate(message.chunks, { ...message, signal })
      return { type: 'located', request, blobs, chunks }
    }
  }
}
