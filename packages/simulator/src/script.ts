/** One thing that somebody does, or that happens, as one line: `ann create a/b`, `cut bob`, `wait 120`. */
export interface Act {
  readonly verb: string
  /** A person's device, and what it is done to; or what the trouble is about. */
  readonly args: readonly string[]
}

/** How a device is made: `ann`, `bob:coarse`, `dan:api`. */
export interface DeviceKind {
  readonly name: string
  /** `folder`: a bound directory; `coarse`: one whose disk stamps in steps of two seconds; `api`: no folder. */
  readonly kind: 'folder' | 'coarse' | 'api'
}

/** All that a run depends on, but for the state of the code. */
export interface Script {
  /** Of what nobody decides: latencies, ids, the order of late watch events. */
  readonly seed: number
  readonly devices: readonly DeviceKind[]
  readonly acts: readonly Act[]
}

export class ScriptError extends Error {
  override readonly name = 'ScriptError'
}

/** What happens to devices and the world; every other verb is something that a person does at a device. */
export const TROUBLES: ReadonlySet<string> = new Set([
  'wait',
  'clock',
  'cut',
  'garble',
  'falsify',
  'accuse',
  'extend',
  'stranger',
  'contradictor',
  'forger',
  'kill',
  'power',
  'trap',
  'fail',
  'amid',
  'start',
  'backup',
  'rollback',
  'crash',
  'clone',
  'away',
  'return',
  'demote',
  'banish',
  'readmit',
  'revert',
  'slow',
  'fast',
  'pause',
  'resume',
  'limit',
  'deny',
  'allow',
  'fill',
  'room',
  'deafen',
  'hear',
  'store',
  'refuse',
])

const KINDS: ReadonlySet<string> = new Set(['folder', 'coarse', 'api'])

export const formatAct = ({ verb, args }: Act): string =>
  TROUBLES.has(verb) ? [verb, ...args].join(' ') : [args[0], verb, ...args.slice(1)].join(' ')

/** @throws {ScriptError} fewer than two words. */
export function parseAct(line: string): Act {
  const [first, second, ...rest] = line.trim().split(/\s+/)
  if (first === undefined || second === undefined) throw new ScriptError(`not an act: "${line}"`)
  if (TROUBLES.has(first)) return { verb: first, args: [second, ...rest] }
  return { verb: second, args: [first, ...rest] }
}

const formatDevice = ({ name, kind }: DeviceKind): string => (kind === 'folder' ? name : `${name}:${kind}`)

export const formatScript = ({ seed, devices, acts }: Script): string =>
  [`seed ${seed}`, `devices ${devices.map(formatDevice).join(' ')}`, ...acts.map(formatAct)].join('\n')

/**
 * Lines: `seed N`, `devices NAME[:KIND] …`, then acts. What follows a `#` at the start of a line or behind a
 * space is a comment.
 *
 * @throws {ScriptError} a line says nothing that is known, or there are no devices.
 */
export function parseScript(text: string): Script {
  let seed = 1
  const devices: DeviceKind[] = []
  const acts: Act[] = []
  for (const raw of text.split('\n')) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim()
    if (line === '') continue
    const [word, ...rest] = line.split(/\s+/)
    if (word === 'seed') seed = parseSeed(rest[0])
    else if (word === 'devices') devices.push(...rest.map(parseDevice))
    else acts.push(parseAct(line))
  }
  if (devices.length === 0) throw new ScriptError('a script names its devices: "devices ann bob"')
  return { seed, devices, acts }
}

function parseSeed(word: string | undefined): number {
  const seed = Number(word)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new ScriptError(`not a seed: "${word}"`)
  return seed
}

function parseDevice(word: string): DeviceKind {
  const [name = '', kind = 'folder'] = word.split(':')
  if (!/^[a-z]+$/.test(name) || !KINDS.has(kind)) throw new ScriptError(`not a device: "${word}"`)
  return { name, kind: kind as DeviceKind['kind'] }
}
