/** The directory that a relative path is in; `''` is the bound one, and its own parent. */
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
