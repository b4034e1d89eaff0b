import type { Invocation } from '../args.js'
import { askControl } from '../control.js'
import type { Decided } from '../control-routes.js'
import { statePaths } from '../state-paths.js'

const EXIT_DONE = 0
/** Done here, and the rest needs the hub, or is refused by the disk; or the folder stays held. */
const EXIT_WAITING = 3

/** Lets a held plan go. */
export const runAccept = (invocation: Invocation): Promise<number> => decide(invocation, '/accept')

/** Drops the local changes that are held. */
export const runRevert = (invocation: Invocation): Promise<number> => decide(invocation, '/revert')

async function decide(invocation: Invocation, path: string): Promise<number> {
  const { socket } = statePaths(invocation)
  const answer = (await askControl(socket, path)) as Decided | undefined
  if (answer === undefined)
    throw new Error('no sync is running for this folder: start one without --once, then decide')
  const { held, waiting } = answer
  if (held === undefined) process.stdout.write(`${path.slice(1)}ed\n`)
  else process.stderr.write(`tidemark: the folder stays held: ${held}\n`)
  if (waiting !== undefined) process.stderr.write(`tidemark: ${waiting}\n`)
  return held === undefined && waiting === undefined ? EXIT_DONE : EXIT_WAITING
}
