import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SERIES, growthOf, pointsOf } from './growth.mjs'
import { SENDING } from './sending.mjs'
import { SERVERS } from './servers.mjs'
import { barChart, lineChart } from './svg.mjs'
import { markdown, spread, summary } from './tables.mjs'
import { TARGETS, isAskedIn, isGood, outcome } from './targets.mjs'
import { WORKLOADS, valueOf } from './workloads.mjs'

const PHASES = ['cold', 'warm']
const GROWS_ABOVE = 1.3
const ALL = { ...WORKLOADS, ...SENDING }

/**
 * The measured parts of the report, as Markdown by their names, from the results of {@link openResults}. Charts are
 * written to `pictures`.
 * @param link from the page to the pictures
 */
export function measuredParts(parts, { pictures, link }) {
  mkdirSync(pictures, { recursive: true })
  const draw = (name, picture, alt) => {
    writeFileSync(join(pictures, `${name}.svg`), picture)
    return `![${alt}](${link}/${name}.svg)`
  }
  return {
    machine: machines(parts),
    targets: targets(parts),
    servers: servers(parts),
    workloads: Object.entries(ALL).flatMap(([name, workload]) => (parts[name] === undefined ? [] : [section(name, workload, parts[name], draw)])).join('\n\n'),
    growth: parts.growth === undefined ? 'Not measured.' : growth(parts.growth.results, draw),
    profiles: parts.profiles === undefined ? 'Not measured.' : profiles(parts.profiles.results, link),
  }
}

/** Where and with what each part was measured; parts of one run share a line. */
function machines(parts) {
  const groups = new Map()
  for (const [name, { measured }] of Object.entries(parts)) {
    const { at, ...rest } = measured
    const key = JSON.stringify(rest)
    groups.set(key, { ...rest, names: [...(groups.get(key)?.names ?? []), name], at: [...(groups.get(key)?.at ?? []), at] })
  }
  const lines = [...groups.values()].map(({ names, at, machine, node, system, commit, generator, peers, missing, repetitions, isQuick, load }) => [
    `- ${names.length === Object.keys(parts).length ? 'Everything' : names.join(', ')}: ${moment(at[0])} to ${moment(at.at(-1))} UTC, commit ${commit}`,
    `  - ${machine}; ${system}; Node ${node}`,
    `  - ${peers.join(', ')}${missing.length === 0 ? '' : `; not installed: ${missing.join(', ')}`}`,
    `  - ${repetitions} repetitions; load generator in ${generator}; load average at the start ${load}${isQuick ? '; a quick run: figures are rough' : ''}`,
  ].join('\n'))
  return lines.join('\n')
}

function moment(at) {
  return at.slice(0, 16).replace('T', ' ')
}

function targets(parts) {
  const rows = TARGETS.map((target) => {
    const { workload, subject, reference, atLeast, atMost, words } = target
    const results = parts[workload]?.results
    const goal = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
    const cells = PHASES.map((phase) => {
      const found = results === undefined || !isAskedIn(target, phase) ? undefined : outcome(target, phase, results)
      if (found === undefined) return '-'
      const digits = reference === undefined ? 0 : 2
      const ratio = `${found.median.toFixed(digits)} (${found.least.toFixed(digits)}-${found.most.toFixed(digits)})`
      return `${found.isMet ? (found.isAlwaysMet ? '**met**' : '**met**, not each time') : 'not met'}: ${ratio}`
    })
    return [workload, words, `\`${subject}\``, reference === undefined ? '' : `\`${reference}\``, `${goal}${reference === undefined ? '' : ' x'}`, ...cells]
  })
  return markdown(['workload', 'what', 'of', 'beside', 'goal', ...PHASES], rows)
}

function servers(parts) {
  const named = new Set(Object.values(parts).flatMap(({ results }) => results.map(({ server }) => server)))
  return markdown(['name', 'what'], Object.entries(SERVERS).filter(([name]) => named.has(name)).map(([name, { what }]) => [`\`${name}\``, what]))
}

function section(name, workload, { results }, draw) {
  const { title, metrics } = workload
  const own = [...new Set(results.map(({ server }) => server))]
  const order = [...(workload.servers ?? []), ...own].filter((server, index, all) => own.includes(server) && all.indexOf(server) === index)
  const phases = PHASES.filter((phase) => results.some((one) => one.phase === phase))
  const rows = order.flatMap((server) => phases.flatMap((phase) => {
    const of = results.filter((one) => one.server === server && one.phase === phase)
    const problems = [...new Set(of.flatMap(({ error, failures }) => error ?? (failures === undefined ? [] : `answered ${JSON.stringify(failures)}`)))]
    if (of.length === 0) return []
    return [[`\`${server}\``, phase, ...metrics.map((metric) => spread(of.filter(isGood).map((one) => valueOf(metric, one)), metric.digits ?? 0))], ...problems.map((problem) => [`^ ${problem.split('\n')[0]}`])]
  }))
  const [primary] = metrics
  const bars = order.flatMap((server) => {
    const found = phases.flatMap((phase) => {
      const values = summary(results.filter((one) => one.server === server && one.phase === phase && isGood(one)).map((one) => valueOf(primary, one)))
      return values === undefined ? [] : [{ phase, ...values }]
    })
    return found.length === 0 ? [] : [{ label: server, isSubject: !/^(?:storesc|orthanc|dcmjs|c-sink|core)/.test(server), bars: found }]
  })
  const picture = bars.length === 0 ? '' : `${draw(name, barChart({ title, unit: primary.name, rows: bars, digits: primary.digits ?? 0, isLessBetter: primary.isLessBetter }), title)}\n\n`
  return `### ${title}\n\n${picture}${markdown(['', '', ...metrics.map((metric) => metric.name)], rows)}`
}

function growth(results, draw) {
  const own = [...new Set(results.map(({ server }) => server))]
  return Object.entries(SERIES).flatMap(([name, { axis, title, unit, isAbsolute }]) => {
    const series = own.map((server) => ({ name: server, points: pointsOf(name, server, results) })).filter(({ points }) => points.length > 1)
    if (series.length === 0) return []
    const values = series[0].points.map(([value]) => value)
    const xTicks = values.map((value) => [value, axis === 'bytes' ? sizeName(value) : String(value)])
    const picture = draw(`growth-${name}`, lineChart({ title, xName: axis === 'bytes' ? 'size of an object' : 'associations', yName: unit, series, xTicks }), title)
    const rows = series.map(({ name: server, points }) => {
      const times = growthOf(points)
      return [`\`${server}\``, ...values.map((value) => points.find(([at]) => at === value)?.[1].toFixed(points.some(([, one]) => one < 10) ? 1 : 0) ?? '-'), times.toFixed(2)]
    })
    const [subject, floor] = series.map(({ points }) => growthOf(points))
    return [`### ${title}\n\n${picture}\n\n${markdown(['', ...xTicks.map(([, tick]) => tick), 'at the end, x the least before'], rows)}\n\n${verdict(subject, floor, isAbsolute)}`]
  }).join('\n\n')
}

function verdict(subject, floor, isAbsolute = false) {
  const what = isAbsolute ? 'Memory' : 'The cost of one'
  if (subject <= GROWS_ABOVE) return `${what} does not grow (up to ${GROWS_ABOVE} times counts as noise).`
  const beside = floor === undefined ? '' : ` The sink's, which does nothing but system calls, grows ${floor.toFixed(2)} times.`
  return `${what} grows ${subject.toFixed(2)} times.${beside}`
}

function profiles(results, link) {
  return results.map(({ name, title, top }) => {
    const rows = top.map(({ name: what, share }) => [`\`${what.replaceAll('|', '\\|')}\``, `${(share * 100).toFixed(1)} %`])
    return `### ${title}\n\n![Flame graph: ${title}](${link}/flame-${name}.svg)\n\n${markdown(['self time', ''], rows)}`
  }).join('\n\n')
}

function sizeName(bytes) {
  for (const [power, unit] of [[30, 'GiB'], [20, 'MiB'], [10, 'KiB']]) if (bytes >= 2 ** power) return `${bytes / 2 ** power} ${unit}`
  return `${bytes} B`
}
