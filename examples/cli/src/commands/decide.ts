import type { Invocation } from '../args.js'
import { askControl } from '../control.js'
import { statePaths } from '../state-paths.js'

const EXIT_DONE = 0
/** Done here; the rest needs the hub, or is refused by the disk. */
const EXIT_WAITING = 3

/** Lets a held plan go. */
export const runAccept = (invocation: Invocation): Promise<number> => decide(invocation, '/accept')

/** Drops the local changes that are held. */
export const runRevert = (invocation: Invocation): Promise<number> => decide(invocation, '/revert')

async function decide(invocation: Invocation, path: string): Promise<number> {
  const { socket } = statePaths(invocation)
  const answer = (await askControl(socket, path)) as { readonly waiting?: string } | undefined
  if (answer === undefined)
    throw new Error('no sync is running for this folder: start one without --once, then decide')
  process.stdout.write(`${path.slice(1)}ed\n`)
  if (answer.waiting === undefined) return EXIT_DONE
  process.stderr.write(`tidemark: ${answer.waiting}\n`)
  return EXIT_WAITING
}
