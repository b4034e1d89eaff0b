/**
 * Names of conflict copies carry tags that depend on random ids; a script that is to say the same in another
 * run calls them by number: `x.txt#2` is the second of all `x (…).txt` of its directory, by name.
 */
const TAG = / \([^()]*\)/g

const plainOf = (name: string): string => name.replace(TAG, '')

/** Whether a path is of a conflict copy, or of a file that lost its name to another. */
export function isTagged(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return plainOf(name) !== name
}

/** `a/x (2kkgnfet).txt` → `a/x.txt#1`. @param namesIn The names in a directory, by its path. */
export function toScriptPath(path: string, namesIn: (directory: string) => readonly string[]): string {
  const names: string[] = []
  let directory = ''
  for (const name of path.split('/')) {
    const plain = plainOf(name)
    names.push(plain === name ? name : `${plain}#${copiesOf(plain, namesIn(directory)).indexOf(name) + 1}`)
    directory = directory === '' ? name : `${directory}/${name}`
  }
  return names.join('/')
}

/** The other way round. @returns `undefined` where there are not that many copies. */
export function fromScriptPath(
  path: string,
  namesIn: (directory: string) => readonly string[],
): string | undefined {
  let at = ''
  for (const name of path.split('/')) {
    const [plain, number] = name.split('#') as [string, string | undefined]
    const real = number === undefined ? plain : copiesOf(plain, namesIn(at))[Number(number) - 1]
    if (real === undefined) return undefined
    at = at === '' ? real : `${at}/${real}`
  }
  return at
}

const copiesOf = (plain: string, names: readonly string[]): string[] =>
  names.filter((name) => name !== plain && plainOf(name) === plain).sort()
