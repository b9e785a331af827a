import satisfies from 'semver/functions/satisfies.js'
import type { ErrorCode } from '../errors/index.ts'
import { DicomtapError } from '../errors/index.ts'
import { parseRequirement, pluginName } from './requirement.ts'
import type { Plugin } from './types.ts'

/** Prereleases count: a site that runs one means to. */
const SEMVER = { includePrerelease: true } as const

interface Edge {
  readonly first: string
  /** Why `first` comes first, as part of a sentence. */
  readonly reason: string
}

/**
 * The order in which plugins start: what a plugin requires or stands after comes first, else the order
 * in which they were given.
 * @throws DICOMTAP_ERR_PLG_DUPLICATE, _VERSION, _MISSING_DEPENDENCY, _CYCLE; each lists all its cases.
 */
export function orderPlugins(plugins: readonly Plugin[], frameworkVersion: string): Plugin[] {
  const byName = new Map(plugins.map((plugin) => [plugin.name, plugin]))
  checkDuplicates(plugins)
  checkFramework(plugins, frameworkVersion)
  checkRequirements(plugins, byName)
  return sort(plugins, byName)
}

function checkDuplicates(plugins: readonly Plugin[]): void {
  const counts = new Map<string, number>()
  for (const { name } of plugins) counts.set(name, (counts.get(name) ?? 0) + 1)
  const repeated = [...counts].filter(([, count]) => count > 1)
  throwAll('DICOMTAP_ERR_PLG_DUPLICATE', repeated.map(([name, count]) => `Plugin '${name}' is loaded ${count} times: keep one entry`))
}

function checkFramework(plugins: readonly Plugin[], version: string): void {
  const misfits = plugins.filter(({ framework }) => framework !== undefined && !satisfies(version, framework, SEMVER))
  throwAll(
    'DICOMTAP_ERR_PLG_VERSION',
    misfits.map(
      ({ name, framework }) =>
        `Plugin '${name}' works with @dicomtap/framework ${framework}, installed is ${version}: install versions that fit`,
    ),
  )
}

function checkRequirements(plugins: readonly Plugin[], byName: ReadonlyMap<string, Plugin>): void {
  const missing: string[] = []
  const misfits: string[] = []
  for (const plugin of plugins) {
    for (const { name, range } of plugin.requires.map(parseRequirement)) {
      const required = byName.get(name)
      if (required === undefined) {
        missing.push(`Plugin '${plugin.name}' requires '${name}', which is not loaded: add '${name}' to plugins`)
      } else if (!satisfies(required.version, range, SEMVER)) {
        misfits.push(`Plugin '${plugin.name}' requires '${name}' ${range}, loaded is ${required.version}: install versions that fit`)
      }
    }
  }
  throwAll('DICOMTAP_ERR_PLG_MISSING_DEPENDENCY', missing)
  throwAll('DICOMTAP_ERR_PLG_VERSION', misfits)
}

/** Depth first in the given order, so that only what must move does. */
function sort(plugins: readonly Plugin[], byName: ReadonlyMap<string, Plugin>): Plugin[] {
  const edges = edgesOf(plugins)
  const sorted = new Set<Plugin>()
  const path: string[] = []

  const visit = (plugin: Plugin): void => {
    if (sorted.has(plugin)) return
    if (path.includes(plugin.name)) throw cycle([...path.slice(path.indexOf(plugin.name)), plugin.name], edges)
    path.push(plugin.name)
    for (const { first } of edges.get(plugin.name) ?? []) {
      const earlier = byName.get(first)
      if (earlier !== undefined) visit(earlier)
    }
    path.pop()
    sorted.add(plugin)
  }
  for (const plugin of plugins) visit(plugin)
  return [...sorted]
}

function edgesOf(plugins: readonly Plugin[]): Map<string, Edge[]> {
  const edges = new Map<string, Edge[]>(plugins.map(({ name }) => [name, []]))
  for (const { name, requires, before, after } of plugins) {
    for (const required of requires) {
      const { name: first } = parseRequirement(required)
      edges.get(name)?.push({ first, reason: `${name} requires ${first}` })
    }
    for (const first of after.map(pluginName)) edges.get(name)?.push({ first, reason: `${name} stands after ${first}` })
    for (const later of before.map(pluginName)) {
      edges.get(later)?.push({ first: name, reason: `${name} stands before ${later}` })
    }
  }
  return edges
}

function cycle(names: readonly string[], edges: ReadonlyMap<string, readonly Edge[]>): DicomtapError {
  const reasons = names.slice(0, -1).map((name, index) => {
    const edge = edges.get(name)?.find(({ first }) => first === names[index + 1])
    return edge?.reason ?? name
  })
  return new DicomtapError('DICOMTAP_ERR_PLG_CYCLE', `Plugins order each other in a circle, ${names.join(' > ')}: ${reasons.join(', ')}`)
}

function throwAll(code: ErrorCode, problems: readonly string[]): void {
  if (problems.length > 0) throw new DicomtapError(code, problems.join('\n'))
}
