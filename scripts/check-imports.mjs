// Checks which way imports point (ARCHITECTURE.md, "Layers") and that each package declares what it imports.
// Type-only imports are free of the layer rule: the compiler erases them.
import { readFileSync, readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix, relative } from 'node:path'
import { parse } from '@babel/parser'
import { ROOT, readManifest, workspaces } from './workspaces.mjs'

/**
 * The layers of a package's src, highest first: value imports point to the same row or to a lower one.
 * A path ending in `/` is a folder; a file named on its own goes before its folder. Everything must be in a row.
 */
const FRAMEWORK_LAYERS = [
  ['index.ts', 'testing/'],
  ['application-entity.ts', 'association-server.ts', 'associate.ts', 'close.ts', 'diagnose.ts', 'rehearsal/'],
  ['config/'],
  ['command.ts', 'define.ts', 'plugin/'],
  ['association/'],
  ['dimse/'],
  ['hooks/'],
  ['acse/', 'describe.ts'],
  ['dul/'],
  ['dataset/', 'pdu/', 'identity.ts', 'console-log.ts'],
  ['logger.ts', 'near-names.ts', 'file-io.ts', 'server-process.ts', 'stall-watch.ts', 'turns.ts', 'errors/'],
]

const QUERY_RETRIEVE_LAYERS = [
  ['index.ts', 'query-retrieve.ts', 'index-command.ts', 'index-command/'],
  ['options.ts', 'service.ts'],
  ['find/'],
  ['retrieve/'],
  ['retention/'],
  ['intake/'],
  ['maintenance/'],
  ['identifier/', 'negotiation.ts'],
  ['matching/'],
  ['database/'],
  ['model/'],
  ['text/', 'contained-path.ts', 'context.ts', 'is-running.ts', 'storage-service.ts'],
]

const LAYERS = {
  'packages/framework': FRAMEWORK_LAYERS,
  'packages/plugin-query-retrieve': QUERY_RETRIEVE_LAYERS,
}

/** Which workspace packages a package's sources may import. Tests are free. */
const PACKAGE_RULES = [
  { of: /^@dicomtap\/framework$/, may: [], external: ['tapable', 'dcmjs', 'semver'] },
  { of: /^@dicomtap\/cli$/, may: ['@dicomtap/framework'] },
  { of: /^@dicomtap\/plugin-/, may: ['@dicomtap/framework'] },
  { of: /^create-dicomtap$/, may: [] },
]

const problems = []
const packages = workspaces()
const names = new Set(packages.map(({ manifest }) => manifest.name))
const rootDependencies = Object.keys(readManifest(ROOT).devDependencies)
let checked = 0

for (const { folder, manifest } of packages) {
  for (const file of sourceFiles(folder)) {
    checked += 1
    const isTest = !relative(folder, file).startsWith('src/')
    for (const found of importsOf(file)) {
      if (found.specifier.startsWith('.')) checkLayer(folder, file, found)
      else checkPackage(manifest, file, found, isTest)
    }
  }
}

if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  console.error(`imports: ${problems.length} problem(s) in ${checked} files`)
  process.exitCode = 1
} else {
  console.log(`imports: ${checked} files in order`)
}

function checkLayer(folder, file, { specifier, isType, line }) {
  const target = posix.join(posix.dirname(file), specifier)
  const source = join(folder, 'src/')
  if (!target.startsWith(folder)) return report(file, line, `'${specifier}' leaves the package`)
  const layers = LAYERS[relative(ROOT, folder)]
  if (isType || layers === undefined || !file.startsWith(source)) return
  const [from, to] = [file, target].map((path) => layerOf(layers, relative(source, path)))
  if (from === undefined) return report(file, line, 'stands in no row of LAYERS in scripts/check-imports.mjs')
  if (to === undefined) return report(file, line, `'${specifier}' stands in no row of LAYERS in scripts/check-imports.mjs`)
  if (to < from) report(file, line, `'${specifier}' points up: ${layers[from].join(' ')} must not import values of ${layers[to].join(' ')}`)
}

function checkPackage(manifest, file, { specifier, isType, line }, isTest) {
  if (specifier.startsWith('node:')) return
  if (isBuiltin(specifier)) return report(file, line, `write 'node:${specifier}'`)
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  if (name === manifest.name) return isTest ? undefined : report(file, line, `'${specifier}' is the package itself: import by path`)
  const own = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies }
  const forTests = { ...own, ...manifest.devDependencies }
  const isDeclared = name in (isTest ? forTests : own) || (isTest && (names.has(name) || rootDependencies.includes(name)))
  // Types of a published package must be there for its users too, so type-only imports count.
  if (!isDeclared) report(file, line, `'${name}' is not declared in the package.json${isType ? ' (type-only, but its users need it too)' : ''}`)
  if (isTest) return
  const rule = PACKAGE_RULES.find(({ of }) => of.test(manifest.name))
  if (rule === undefined) return
  if (names.has(name) && !rule.may.includes(name)) report(file, line, `${manifest.name} must not import ${name}`)
  if (rule.external !== undefined && !names.has(name) && !rule.external.includes(name)) {
    report(file, line, `${manifest.name} must not depend on ${name}: only ${rule.external.join(', ')}`)
  }
}

function layerOf(layers, path) {
  const exact = layers.findIndex((row) => row.includes(path))
  if (exact !== -1) return exact
  const folder = layers.findIndex((row) => row.some((entry) => entry.endsWith('/') && path.startsWith(entry)))
  return folder === -1 ? undefined : folder
}

/** Every static, re-exporting and dynamic import of a file. */
function importsOf(file) {
  const plugins = file.endsWith('.ts') || file.endsWith('.mts') ? ['typescript'] : []
  const { program } = parse(readFileSync(file, 'utf8'), { sourceType: 'module', plugins, createImportExpressions: true })
  const found = []
  visit(program, (node) => {
    if (node.type === 'ImportDeclaration' || node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration') {
      if (!node.source) return
      add(node.source, node.importKind === 'type' || node.exportKind === 'type' || hasOnlyTypes(node))
    }
    if (node.type === 'ImportExpression' && node.source.type === 'StringLiteral') add(node.source, false)
    if (node.type === 'TSImportType') add(node.argument, true)
  })
  return found
  function add(source, isType) {
    found.push({ specifier: source.value, isType, line: source.loc.start.line })
  }
}

function hasOnlyTypes({ specifiers }) {
  return specifiers !== undefined && specifiers.length > 0 && specifiers.every((one) => one.importKind === 'type' || one.exportKind === 'type')
}

function visit(node, look) {
  if (Array.isArray(node)) return node.forEach((child) => visit(child, look))
  if (typeof node?.type !== 'string') return
  look(node)
  for (const [key, child] of Object.entries(node)) {
    if (child !== null && typeof child === 'object' && key !== 'loc') visit(child, look)
  }
}

function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|mts|mjs|js)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/(^|\/)(dist|dist-test|node_modules|templates)\//.test(relative(folder, file)))
}

function report(file, line, message) {
  problems.push(`${relative(ROOT, file)}:${line}: ${message}`)
}
