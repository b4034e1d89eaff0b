import { parseEndpoint } from '@tidemark/transport-ws/browser'

/**
 * One database a hub and space: those of two hubs have nothing to do with each other, and several may stand behind
 * one host. What follows the path is not part of it: tokens of a proxy change.
 *
 * @throws {TypeError} not the address of a hub.
 */
export function databaseName(hub: string, space: string): string {
  const url = new URL(parseEndpoint(hub).socketUrl)
  return `${url.protocol}//${url.host}${url.pathname} ${space}`
}
