import type { Message } from '@tidemark/protocol'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import type { PendingRequests } from './requests.js'

/** A peer's word on the bytes of a space: each question is a request on its channel. */
export function peerAuthority(
  channel: number,
  requests: PendingRequests,
  send: (message: Message) => void,
): BlobAuthority {
  return {
    async need(chunks, signal) {
      const reply = await requests.request(
        'needed',
        (request) => send({ type: 'need', request, channel, chunks }),
        signal,
      )
      return reply.chunks
    },
    async grantPuts(blobs, signal) {
      const reply = await requests.request(
        'grants',
        (request) => send({ type: 'grant-puts', request, channel, blobs }),
        signal,
      )
      return reply.grants
    },
    async stored(blobs, signal) {
      const reply = await requests.request(
        'stored-result',
        (request) => send({ type: 'stored', request, channel, blobs }),
        signal,
      )
      return reply.blobs
    },
    async putInline(chunks, signal) {
      await requests.request(
        'stored-result',
        (request) => send({ type: 'put-inline', request, channel, chunks }),
        signal,
      )
    },
    async locate(chunks, { distrusted, signal } = {}) {
      const more = distrusted && distrusted.length > 0 ? { distrusted } : {}
      return requests.request(
        'located',
        (request) => send({ type: 'locate', request, channel, chunks, ...more }),
        signal,
      )
    },
  }
}
