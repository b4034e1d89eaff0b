import type { Invocation } from '../args.js'
import { askControl } from '../control.js'
import { statePaths } from '../state-paths.js'

/** Lets a held plan go. */
export const runAccept = (invocation: Invocation): Promise<number> => decide(invocation, '/accept')

/** Drops the local changes that are held. */
export const runRevert = (invocation: Invocation): Promise<number> => decide(invocation, '/revert')

async function decide(invocation: Invocation, path: string): Promise<number> {
  const { socket } = statePaths(invocation)
  const answer = await askControl(socket, path)
  if (answer === undefined)
    throw new Error('no sync is running for this folder: start one without --once, then decide')
  process.stdout.write(`${path.slice(1)}ed\n`)
  return 0
}
