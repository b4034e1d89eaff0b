import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import {
  exists,
  filesBelow,
  importsOf,
  isTest,
  parse,
  readManifest,
  readText,
  type Workspace,
  walk,
  workspaces,
} from './repository.js'

/** Style that matters is executable: the rules of CONTRIBUTING.md that a machine can check. */
const WORKSPACES = workspaces()

/** What a package may import of ours. Imports point one way. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  '@tidemark/protocol': [],
  '@tidemark/engine': ['@tidemark/protocol'],
  '@tidemark/folder': ['@tidemark/protocol', '@tidemark/engine'],
  '@tidemark/transport-ws': ['@tidemark/protocol'],
  '@tidemark/store-fs': ['@tidemark/protocol'],
  '@tidemark/store-s3': ['@tidemark/protocol'],
  '@tidemark/server-reference': [
    '@tidemark/protocol',
    '@tidemark/engine',
    '@tidemark/store-fs',
    '@tidemark/transport-ws',
  ],
  '@tidemark/simulator': [
    '@tidemark/protocol',
    '@tidemark/engine',
    '@tidemark/folder',
    '@tidemark/server-reference',
  ],
  '@tidemark/example-adapters': ['@tidemark/protocol'],
  '@tidemark/example-browser': ['@tidemark/engine', '@tidemark/transport-ws'],
  '@tidemark/cli': [
    '@tidemark/protocol',
    '@tidemark/engine',
    '@tidemark/folder',
    '@tidemark/store-fs',
    '@tidemark/store-s3',
    '@tidemark/transport-ws',
    '@tidemark/server-reference',
  ],
}

/** What tests may use besides: a folder is tested with a real hub. */
const TESTS_MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  '@tidemark/folder': ['@tidemark/transport-ws', '@tidemark/store-fs', '@tidemark/server-reference'],
  '@tidemark/example-adapters': ['@tidemark/simulator'],
  '@tidemark/store-s3': ['@tidemark/engine'],
}

/** Where a package of others may be imported in `src`, tests excepted; anything not listed: anywhere. */
const EDGES: readonly { readonly name: string; readonly allowed: RegExp }[] = [
  {
    name: 'rxjs',
    allowed:
      /^(packages\/engine\/src\/(replica|space|space-binding|binding)[^/]*\.ts|packages\/folder\/src\/[^/]+\.ts|examples\/)/,
  },
  { name: 'level', allowed: /^packages\/engine\/src\/node\// },
  { name: 'undici', allowed: /^packages\/engine\/src\/node\// },
  { name: 'hash-wasm', allowed: /^packages\/engine\/src\/adapters\// },
  { name: 'ws', allowed: /^packages\/transport-ws\/src\// },
  { name: '@aws-sdk/client-s3', allowed: /^packages\/store-s3\/src\// },
  { name: '@smithy/signature-v4', allowed: /^packages\/store-s3\/src\// },
  { name: 'ignore', allowed: /^packages\/folder\/src\// },
  { name: 'vitest', allowed: /^packages\/(protocol\/src\/conformance|engine\/src\/testing)\// },
]

/** Files that run anywhere and give the same result everywhere. */
const isPure = (path: string): boolean =>
  path.startsWith('packages/engine/src/core/') ||
  (path.startsWith('packages/protocol/src/') && !path.startsWith('packages/protocol/src/conformance/'))

const LINES_MAX = 500
/** Longer files, each with its reason. */
const LONG_FILES: Readonly<Record<string, string>> = {}

/** Sources that only tests use, each with its reason. */
const TEST_SUPPORT: Readonly<Record<string, string>> = {
  'packages/protocol/src/codec/schema-text.ts':
    'writes the CDDL of docs/protocol.md, beside the schema that it reads',
}
/** Tests that reach into another package's sources, each with its reason. */
const REACHING_TESTS: Readonly<Record<string, string>> = {
  'packages/server-reference/test/transfer.test.ts':
    'runs uploader and downloader, which the engine does not publish, against a real hub',
}
/** Stand-ins beside the code that they stand in for. The engine's own `testing` is a published entry. */
const isSupport = (path: string): boolean =>
  TEST_SUPPORT[path] !== undefined ||
  (path.includes('/testing/') && !/^packages\/(engine|store-s3)\/src\/testing\//.test(path))

const sourcesOf = (workspace: Workspace): string[] => filesBelow(`${workspace.dir}/src`, ['.ts'])
const productOf = (workspace: Workspace): string[] =>
  sourcesOf(workspace).filter((path) => !isTest(path) && !isSupport(path))
const testsOf = (workspace: Workspace): string[] => [
  ...sourcesOf(workspace).filter((path) => isTest(path) || isSupport(path)),
  ...filesBelow(`${workspace.dir}/test`, ['.ts']),
]
const allCode = (): string[] => [
  ...WORKSPACES.flatMap((workspace) => [
    ...sourcesOf(workspace),
    ...filesBelow(`${workspace.dir}/test`, ['.ts']),
  ]),
  ...['scripts', 'test', 'test-browser', 'bench'].flatMap((dir) => filesBelow(dir, ['.ts'])),
]

/** `@tidemark/engine/node` → `@tidemark/engine`; `level/x` → `level`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const workspaceOf = (path: string): Workspace | undefined =>
  WORKSPACES.find(({ dir }) => path.startsWith(`${dir}/`))

describe('imports', () => {
  test('every workspace is in the table of what it may import', () => {
    expect(WORKSPACES.map(({ name }) => name).sort()).toEqual(Object.keys(MAY_IMPORT).sort())
  })

  test('packages import each other one way, by name', () => {
    const wrong: string[] = []
    for (const workspace of WORKSPACES) {
      for (const path of [...productOf(workspace), ...testsOf(workspace)]) {
        const product = path.startsWith(`${workspace.dir}/src/`) && !isTest(path) && !isSupport(path)
        const forTests = product ? [] : (TESTS_MAY_IMPORT[workspace.name] ?? [])
        const allowed = [...(MAY_IMPORT[workspace.name] ?? []), ...forTests]
        for (const { specifier, target } of importsOf(path)) {
          const other = target === undefined ? undefined : workspaceOf(target)
          const name = other?.name ?? packageOf(specifier)
          if (name === workspace.name || !name.startsWith('@tidemark/')) continue
          // Tests may share generators with the tests of a package below; products go by name.
          if (REACHING_TESTS[path] !== undefined && allowed.includes(name)) continue
          const reached =
            other === undefined || (!product && target?.startsWith(`${other.dir}/test/`) === true)
          if (!allowed.includes(name) || !reached) wrong.push(`${path}: ${specifier}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('every relative import names a file', () => {
    const wrong = allCode().flatMap((path) =>
      importsOf(path)
        .filter(({ specifier, target }) => specifier.startsWith('.') && target === undefined)
        .filter(({ specifier }) => !specifier.includes('/dist/'))
        .map(({ specifier }) => `${path}: ${specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('a package declares what it imports', () => {
    const wrong: string[] = []
    for (const workspace of WORKSPACES) {
      const { dependencies, optionalDependencies, peerDependencies } = workspace.manifest
      const declared = { ...dependencies, ...optionalDependencies, ...peerDependencies }
      for (const path of productOf(workspace)) {
        for (const { specifier } of importsOf(path)) {
          if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
          const name = packageOf(specifier)
          if (declared[name] === undefined && !path.includes('/testing/')) wrong.push(`${path}: ${name}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('libraries of others stay at their edge', () => {
    const wrong: string[] = []
    for (const path of WORKSPACES.flatMap(productOf)) {
      for (const { specifier } of importsOf(path)) {
        const edge = EDGES.find(({ name }) => name === packageOf(specifier))
        if (edge && !edge.allowed.test(path)) wrong.push(`${path}: ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('the index of a package is never imported from inside', () => {
    const wrong: string[] = []
    for (const workspace of WORKSPACES) {
      const indexes = workspace.entries.filter((entry) => entry.endsWith('/index.ts'))
      for (const path of productOf(workspace)) {
        for (const { specifier, target } of importsOf(path)) {
          const isIndex = target !== undefined && indexes.includes(target)
          const isSelf = packageOf(specifier) === workspace.name
          // A testing entry is its own product: it uses the package as an embedder does.
          if (isIndex || (isSelf && !path.includes('/testing/'))) wrong.push(`${path}: ${specifier}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('every entry of the build is a file', () => {
    const entries = WORKSPACES.flatMap((workspace) => workspace.entries)
    expect(entries.length).toBeGreaterThanOrEqual(WORKSPACES.length)
    expect(entries.filter((entry) => !exists(entry))).toEqual([])
  })

  test('every source file is reached from an entry', () => {
    const dead: string[] = []
    for (const workspace of WORKSPACES) {
      const reached = new Set<string>()
      const visit = (path: string): void => {
        if (reached.has(path)) return
        reached.add(path)
        for (const { target } of importsOf(path))
          if (target?.startsWith(`${workspace.dir}/src/`)) visit(target)
      }
      for (const entry of workspace.entries.filter(exists)) visit(entry)
      dead.push(...productOf(workspace).filter((path) => !reached.has(path)))
      // What only tests use must be used by one.
      for (const path of testsOf(workspace).filter(isTest)) visit(path)
      dead.push(...sourcesOf(workspace).filter((path) => isSupport(path) && !reached.has(path)))
    }
    expect(dead).toEqual([])
  })
})

describe('determinism', () => {
  const GLOBALS = new Set([
    'Date',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'performance',
    'fetch',
    'process',
    'Buffer',
    'crypto',
    'globalThis',
    'require',
  ])
  const METHODS = /^(localeCompare|toLocale\w*)$/

  /** A name as a use of a global: no property, key, label, import or declaration. */
  function isFreeName(node: ts.Identifier): boolean {
    const { parent } = node
    if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
    if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent)) return true
    const named = parent as ts.Node & { readonly name?: ts.Node }
    return named.name !== node && !ts.isImportSpecifier(parent)
  }

  function impurities(path: string): string[] {
    const found: string[] = []
    const tree = parse(path)
    walk(tree, (node) => {
      const report = (what: string) => {
        const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
        found.push(`${path}:${line + 1}: ${what}`)
      }
      if (ts.isForInStatement(node)) report('for…in')
      if (ts.isIdentifier(node) && GLOBALS.has(node.text) && isFreeName(node)) report(node.text)
      if (ts.isPropertyAccessExpression(node)) {
        if (METHODS.test(node.name.text)) report(node.name.text)
        if (node.getText(tree) === 'Math.random') report('Math.random')
      }
      if (ts.isNewExpression(node) && node.expression.getText(tree).startsWith('Intl.')) report('Intl')
    })
    return found
  }

  const pure = WORKSPACES.flatMap(productOf).filter(isPure)

  test('protocol and engine core use no clock, chance, timer, network or locale of their own', () => {
    expect(pure.length).toBeGreaterThan(20)
    expect(pure.flatMap(impurities)).toEqual([])
  })

  test('protocol and engine core import neither Node nor a library', () => {
    const wrong = pure.flatMap((path) =>
      importsOf(path)
        .filter(({ specifier }) => !specifier.startsWith('.') && specifier !== '@tidemark/protocol')
        .map(({ specifier }) => `${path}: ${specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('engine core imports of the engine only itself, types of ports excepted', () => {
    const wrong = pure
      .filter((path) => path.startsWith('packages/engine/'))
      .flatMap((path) =>
        importsOf(path)
          .filter(({ target }) => target !== undefined)
          .filter(({ target }) => !/^packages\/engine\/src\/(core|ports)\//.test(target!))
          .map(({ specifier }) => `${path}: ${specifier}`),
      )
    expect(wrong).toEqual([])
  })
})

describe('tests', () => {
  test('no test is left out or runs alone', () => {
    const wrong: string[] = []
    for (const path of allCode()) {
      walk(parse(path), (node) => {
        if (!ts.isPropertyAccessExpression(node) || !/^(only|skip|todo|fails)$/.test(node.name.text)) return
        if (/^(test|it|describe|suite)\b/.test(node.expression.getText()))
          wrong.push(`${path}: ${node.getText()}`)
      })
    }
    expect(wrong).toEqual([])
  })

  test('a test name states a rule', () => {
    const wrong: string[] = []
    for (const path of allCode().filter(isTest)) {
      walk(parse(path), (node) => {
        if (!ts.isCallExpression(node) || !/^(test|it)\b/.test(node.expression.getText())) return
        const [name] = node.arguments
        if (name && ts.isStringLiteralLike(name) && /\b(works|should)\b/.test(name.text)) {
          wrong.push(`${path}: ${name.text}`)
        }
      })
    }
    expect(wrong).toEqual([])
  })
})

describe('files', () => {
  test(`no file has more than ${LINES_MAX} lines, but those with a reason`, () => {
    const long = allCode().filter((path) => readText(path).split('\n').length - 1 > LINES_MAX)
    expect(long).toEqual(Object.keys(LONG_FILES).sort())
  })

  test('no registry is named, and the lockfile resolves only workspaces', () => {
    const lock = JSON.parse(readText('package-lock.json')) as {
      packages: Record<string, { resolved?: string; link?: boolean }>
    }
    const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined)
    const dirs = WORKSPACES.map(({ dir }) => dir)
    expect(resolved.map(([, entry]) => entry.resolved).sort()).toEqual([...dirs].sort())
    expect(resolved.every(([, entry]) => entry.link === true)).toBe(true)
    const host = new RegExp(['registry\\.(npmjs|yarnpkg)', 'npm\\.pkg\\.github'].join('|'))
    const files = [...allCode(), ...filesBelow('', ['.json', '.md', '.npmrc', '.yml', '.yaml'])]
    expect(files.filter((path) => host.test(readText(path)))).toEqual([])
  })

  test('no code asks the type checker to look away', () => {
    const marker = new RegExp(`@ts-(${['ignore', 'nocheck', 'expect-error'].join('|')})`)
    expect(allCode().filter((path) => marker.test(readText(path)))).toEqual([])
  })

  test('every dependency has its reason in docs/decisions', () => {
    const pages = filesBelow('docs/decisions', ['.md']).map(readText).join('\n')
    const manifests = ['package.json', ...WORKSPACES.map(({ dir }) => `${dir}/package.json`)].map(
      readManifest,
    )
    const names = manifests
      .flatMap(({ dependencies, devDependencies, optionalDependencies }) =>
        Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }),
      )
      .filter((name) => !name.startsWith('@tidemark/'))
    const missing = [...new Set(names)].filter((name) => !pages.includes(`\`${name}\``))
    expect(missing).toEqual([])
  })

  test('every link between pages leads somewhere', () => {
    const wrong: string[] = []
    for (const page of filesBelow('', ['.md'])) {
      for (const [, link] of readText(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (link === undefined || /^([a-z]+:|#)/.test(link)) continue
        const target = new URL(link.replace(/#.*$/, ''), `file:///${page}`).pathname.slice(1)
        if (!exists(decodeURI(target))) wrong.push(`${page}: ${link}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('every path that a page names is there', () => {
    const wrong: string[] = []
    for (const page of filesBelow('', ['.md'])) {
      for (const [, path] of readText(page).matchAll(
        /`((?:packages|scripts|docs|examples|test|bench)\/[^`\s{}*]*)`/g,
      )) {
        const near = `${page.replace(/[^/]*$/, '')}${path}`
        if (!exists(path!) && !exists(near)) wrong.push(`${page}: ${path}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
