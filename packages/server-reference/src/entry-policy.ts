import type { Refuse } from '@tidemark/engine'
import type { HubConfig } from './config.js'

/** What this hub does not take, by its configuration. @returns `undefined`: it takes everything. */
export function entryPolicy({
  refuseNames,
  fileBytesMax,
}: Pick<HubConfig, 'refuseNames' | 'fileBytesMax'>): Refuse | undefined {
  if (refuseNames.length === 0 && fileBytesMax === undefined) return undefined
  const patterns = refuseNames.map((name) => ({ name, parts: folded(name).split('*') }))
  return async ({ write, path }) => {
    if (fileBytesMax !== undefined && write.content.some(({ value }) => value.size > fileBytesMax)) {
      return { code: 'FILE_TOO_LARGE', message: `files of more than ${fileBytesMax} bytes are not taken` }
    }
    // What is deleted, or edited where it is, gets no other name.
    const places = write.loc.filter(({ value }) => !value.dead)
    if (patterns.length === 0 || places.length === 0) return undefined
    // Of several places at once the path has one; each may be where it stands later.
    const names = [...(await path()), ...places.map(({ value }) => value.name)].map(folded)
    const hit = patterns.find(({ parts }) => names.some((name) => isLike(parts, name)))
    return hit && { code: 'NAME_REFUSED', message: `names like ${hit.name} are not taken` }
  }
}

/** The first reason of these. */
export function firstOf(...policies: readonly (Refuse | undefined)[]): Refuse | undefined {
  const given = policies.filter((policy) => policy !== undefined)
  if (given.length === 0) return undefined
  return async (write) => {
    for (const refuse of given) {
      const reason = await refuse(write)
      if (reason) return reason
    }
    return undefined
  }
}

/** Whether a name is like one of these: `*` stands for any text, also none; case and Unicode form do not matter. */
function isLike(pattern: readonly string[], name: string): boolean {
  const [first = '', ...rest] = pattern
  const last = rest.pop()
  if (last === undefined) return name === first
  if (!name.startsWith(first) || !name.slice(first.length).endsWith(last)) return false
  let at = first.length
  const end = name.length - last.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found === -1 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

const folded = (name: string): string => name.normalize('NFC').toLowerCase()
