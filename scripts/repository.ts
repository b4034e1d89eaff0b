import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The checkout, as the scripts read it. Paths are relative to its root, with `/`, sorted. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.tidemark'])

/** Files below `dir` that end in one of `endings`. A directory that is not there has none. */
export function filesBelow(dir: string, endings: readonly string[]): string[] {
  const found: string[] = []
  const visit = (at: string): void => {
    for (const entry of readdirSync(join(ROOT, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) visit(path)
      } else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(path)
    }
  }
  if (existsSync(join(ROOT, dir))) visit(dir)
  return found.sort()
}

export const exists = (path: string): boolean => existsSync(join(ROOT, path))

export const readText = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

export const isTest = (path: string): boolean => /\.test\.ts$/.test(path)

const trees = new Map<string, ts.SourceFile>()

export function parse(path: string): ts.SourceFile {
  let tree = trees.get(path)
  if (!tree) {
    tree = ts.createSourceFile(path, readText(path), ts.ScriptTarget.ES2022, true)
    trees.set(path, tree)
  }
  return tree
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

export interface Import {
  readonly specifier: string
  /** Repository path of the source file that a relative specifier names. */
  readonly target: string | undefined
}

const imports = new Map<string, readonly Import[]>()

/** What a file imports or exports from, dynamic imports and `new URL('./x.js', import.meta.url)` included. */
export function importsOf(path: string): readonly Import[] {
  let found = imports.get(path)
  if (!found) {
    found = readImports(path)
    imports.set(path, found)
  }
  return found
}

function readImports(path: string): readonly Import[] {
  const specifiers = ts.preProcessFile(readText(path), true, true).importedFiles.map((file) => file.fileName)
  // Only these need the whole tree of the file.
  if (readText(path).includes('import.meta.url')) specifiers.push(...urlsOf(path))
  return specifiers.map((specifier) => ({ specifier, target: targetOf(path, specifier) }))
}

function urlsOf(path: string): string[] {
  const specifiers: string[] = []
  walk(parse(path), (node) => {
    if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return
    const [first, base] = node.arguments ?? []
    if (first && ts.isStringLiteral(first) && base?.getText() === 'import.meta.url') {
      if (/^\..*\.(js|ts)$/.test(first.text)) specifiers.push(first.text)
    }
  })
  return specifiers
}

function targetOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const absolute = join(ROOT, dirname(from), specifier)
  const source = [absolute.replace(/\.js$/, '.ts'), absolute].find((candidate) => existsSync(candidate))
  return source && relative(ROOT, source).replaceAll('\\', '/')
}

export interface Workspace {
  /** `packages/engine`. */
  readonly dir: string
  /** `@tidemark/engine`. */
  readonly name: string
  readonly manifest: Manifest
  /** Repository paths of the files that are built or published. */
  readonly entries: readonly string[]
}

export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export const readManifest = (path: string): Manifest => JSON.parse(readText(path)) as Manifest

/** Every workspace with the entries that tsup.config.ts builds. */
export function workspaces(): readonly Workspace[] {
  const entries = new Map<string, string[]>()
  walk(parse('tsup.config.ts'), (node) => {
    if (!ts.isPropertyAssignment(node) || !ts.isStringLiteral(node.name)) return
    if (!ts.isArrayLiteralExpression(node.initializer)) return
    const dir = node.name.text
    const paths = node.initializer.elements
      .filter(ts.isStringLiteral)
      .map((element) => `${dir}/${element.text}`)
    entries.set(dir, [...(entries.get(dir) ?? []), ...paths])
  })
  return ['packages', 'examples'].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .sort()
      .map((name) => `${parent}/${name}`)
      .filter((dir) => existsSync(join(ROOT, dir, 'package.json')))
      .map((dir) => {
        const manifest = readManifest(`${dir}/package.json`)
        return { dir, name: manifest.name, manifest, entries: entries.get(dir) ?? [] }
      }),
  )
}
