/** The name in a directory by which a path goes on below it; `undefined`: it does not. Both relative. */
export function childAbove(path: string, directory: string): string | undefined {
  if (directory !== '' && !path.startsWith(`${directory}/`)) return undefined
  const rest = directory === '' ? path : path.slice(directory.length + 1)
  const slash = rest.indexOf('/')
  return slash === -1 ? rest : rest.slice(0, slash)
}
