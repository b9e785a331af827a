import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCommand, createProgram } from '@dicomtap/cli'
import { configJsonSchema, DEFAULT_LIMITS, DEFAULT_TIMEOUTS, ERROR_CODES, HOOK_CATALOG } from '@dicomtap/framework'
import { run } from './examples.js'
import { ROOT } from './pages.js'
import type { Page } from './pages.js'
import { commandsOfPlugins } from './plugin-commands.js'

/** A row of the guide's tables. */
export interface MappedName {
  readonly section: string
  /** What stands in backticks in the first column. */
  readonly names: readonly string[]
  /** What stands in backticks in the second column. */
  readonly targets: readonly string[]
  readonly cells: readonly string[]
}

/** The rows of a page's tables with the heading that they stand under. */
export function mappedNames({ text }: Page): MappedName[] {
  let section = ''
  const rows: MappedName[] = []
  for (const line of text.split('\n')) {
    section = /^## (.+)$/.exec(line)?.[1] ?? section
    if (!line.startsWith('| ') || line.startsWith('| pynetdicom |')) continue
    const cells = line.replace(/^\| | ?\|$/g, '').split(/ \| ?/)
    const [names = '', targets = ''] = cells
    rows.push({ section, names: inBackticks(names), targets: inBackticks(targets), cells })
  }
  return rows
}

function inBackticks(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}

const { properties: CONFIG_KEYS } = configJsonSchema() as { readonly properties: Readonly<Record<string, unknown>> }
const PLUGINS = readdirSync(join(ROOT, 'packages')).filter((name) => name.startsWith('plugin-'))
const PROGRAM = createProgram({} as never, () => {})
for (const definition of await commandsOfPlugins()) PROGRAM.addCommand(buildCommand(definition, () => Promise.resolve()))
const SCU_COMMANDS = ['echo', 'store', 'find', 'get', 'move']

/** Why a target does not exist; undefined when it does, `types` when the declarations of the packages decide. */
export function problemWith(target: string): string | undefined {
  if (Object.hasOwn(HOOK_CATALOG, target) || Object.hasOwn(CONFIG_KEYS, target) || Object.hasOwn(ERROR_CODES, target)) return undefined
  const [, group, key = ''] = /^(limits|timeouts)\.(\w+)$/.exec(target) ?? []
  if (group !== undefined) return Object.hasOwn(group === 'limits' ? DEFAULT_LIMITS : DEFAULT_TIMEOUTS, key) ? undefined : `no ${group}.${key}`
  if (target.startsWith('DICOMTAP_ERR_')) return 'no such error code'
  if (target.startsWith('@dicomtap/')) return problemWithPlugin(target)
  if (target.startsWith('dicomtap ')) return problemWithCommand(target.split(' ').slice(1))
  if (target.startsWith('--')) return SCU_COMMANDS.map((name) => problemWithCommand([name, target])).find((problem) => problem !== undefined)
  return 'types'
}

/** `@dicomtap/plugin-storage`, `@dicomtap/plugin-storage: directory` */
function problemWithPlugin(target: string): string | undefined {
  const [name = '', option] = target.slice('@dicomtap/'.length).split(': ')
  if (!PLUGINS.includes(name)) return 'no such plugin'
  if (option === undefined) return undefined
  const file = join(ROOT, 'packages', name, 'schema.json')
  const schema = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as { properties?: Record<string, unknown> }
  return Object.hasOwn(schema.properties ?? {}, option) ? undefined : `${name} has no option ${option}`
}

/** `start`, `echo --repeat`, `store <path...>`, `index delete --study`, `--version` */
function problemWithCommand(words: readonly string[]): string | undefined {
  const [first = '', ...rest] = words
  const named = first.startsWith('-') ? PROGRAM : PROGRAM.commands.find((one) => one.name() === first)
  if (named === undefined) return `no command ${first}`
  let command = named
  for (const word of first.startsWith('-') ? words : rest) {
    const within = command.commands.find((one) => one.name() === word)
    if (within !== undefined) {
      command = within
      continue
    }
    const isKnown = word.startsWith('<')
      ? command.registeredArguments.some((one) => word === `<${one.name()}${one.variadic ? '...' : ''}>`)
      : command.options.some(({ short, long }) => short === word || long === word)
    if (!isKnown) return `${command.name()} has no ${word}`
  }
  return undefined
}

const MODULES = ['@dicomtap/framework', '@dicomtap/framework/testing']

/**
 * Targets that the types of the packages do not have: `Type.member`, `Class.method`, `value`, `object.key`.
 * Each is written as a type and compiled, so that the compiler says what exists.
 */
export async function unknownToTypes(targets: readonly string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'dicomtap-names-'))
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
    const modules = await Promise.all(MODULES.map(async (name) => (await import(name)) as Readonly<Record<string, unknown>>))
    const lines = targets.map((target, index) => `export type T${index} = ${typeOf(target, modules)}`)
    const imports = MODULES.map((name, index) => `import type * as m${index} from '${name}'`)
    mkdirSync(join(folder, 'src'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    writeFileSync(join(folder, 'src/targets.ts'), `${[...imports, ...lines].join('\n')}\n`)
    const options = { target: 'es2023', lib: ['es2024', 'esnext.disposable'], module: 'nodenext', types: ['node'], strict: true, skipLibCheck: true, noEmit: true }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['src'] }))
    const { stdout, stderr, code } = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], { cwd: folder })
    const failed = [...stdout.matchAll(/^src\/targets\.ts\((\d+),/gm)].map(([, line]) => targets[Number(line) - 1 - imports.length] ?? '?')
    if (code !== 0 && failed.length === 0) throw new Error(`tsc: ${stdout}${stderr}`)
    return [...new Set(failed)]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function typeOf(target: string, modules: readonly Readonly<Record<string, unknown>>[]): string {
  const [name = '', ...members] = target.split('.')
  const found = modules.findIndex((exports) => Object.hasOwn(exports, name))
  const value: unknown = modules[found]?.[name]
  const isClass = typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
  const root = `${found === -1 || isClass ? '' : 'typeof '}m${Math.max(found, 0)}.${name}`
  return members.reduce((type, member) => `NonNullable<${type}>['${member}']`, root)
}
