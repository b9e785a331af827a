import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'

/**
 * What stands above the tables: without it they mean nothing.
 * @param dcmtk its version; null where it has no part
 * @param orthanc its version; undefined where it has no part
 */
export function machine(dcmtk, orthanc) {
  const [{ model }] = cpus()
  const other = dcmtk === null ? '' : ` DCMTK ${dcmtk ?? 'not installed'};`
  const another = orthanc === undefined ? '' : ` Orthanc ${orthanc};`
  return [
    `${new Date().toISOString().slice(0, 10)}; ${cpus().length} cores, ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${release().match(/^[\d.]+/)[0]}; Node ${process.version};${other}${another} commit ${commit()}`,
  ].join('\n')
}

/**
 * One workload as a table: `median (min-max)` of each metric, and how many times as fast as each other
 * server the first one is. The ratio is taken within each repetition, where both ran in turn.
 */
export function table(workload, servers, results) {
  const [primary] = workload.metrics
  const [baseline] = servers
  const head = ['', ...workload.metrics.map(({ name }) => name), `${baseline} is x as fast`]
  const rows = servers.flatMap((server) => {
    const of = results.filter((result) => result.server === server)
    if (of.length === 0) return []
    const good = of.filter(({ error }) => error === undefined)
    const cells = workload.metrics.map(({ of: value, digits }) => spread(good.map(value), digits))
    const baselines = results.filter((result) => result.server === baseline)
    const ratio = server === baseline ? '' : spread(ratios(primary, good, baselines), 2)
    return [[server, ...cells, ratio], ...problemsOf(of)]
  })
  return `${workload.title}\n\n${markdown(head, rows)}`
}

function ratios({ of, isLessBetter }, others, baselines) {
  return others.map((other) => {
    const own = baselines.find(({ repetition, error }) => repetition === other.repetition && error === undefined)
    if (own === undefined) return undefined
    return isLessBetter ? of(other) / of(own) : of(own) / of(other)
  })
}

/** A server that failed, or answered something else than 0000, has no speed. */
function problemsOf(results) {
  const problems = results.flatMap(({ error, failures }) => {
    if (error !== undefined) return [error]
    return failures === undefined ? [] : [`answered ${JSON.stringify(failures)}`]
  })
  return [...new Set(problems)].map((problem) => [`^ ${problem}`])
}

/** `median (min-max)`; `-` where nothing is known. */
export function spread(values, digits) {
  const known = summary(values)
  if (known === undefined) return '-'
  const { median } = known
  const [least, most] = [known.least, known.most].map((value) => value.toFixed(digits))
  return least === most ? least : `${median.toFixed(digits)} (${least}-${most})`
}

/** `{ median, least, most, count }`; undefined where nothing is known. */
export function summary(values) {
  const known = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b)
  if (known.length === 0) return undefined
  const middle = known.length / 2
  const median = known.length % 2 === 1 ? known[Math.floor(middle)] : (known[middle - 1] + known[middle]) / 2
  return { median, least: known[0], most: known.at(-1), count: known.length }
}

/** A table; rows of another length are remarks, which do not widen the columns. */
export function markdown(head, rows) {
  const whole = rows.filter((row) => row.length === head.length)
  const widths = head.map((name, column) => Math.max(name.length, ...whole.map((row) => row[column].length)))
  const line = (cells) => `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}

/** Of the checkout that is measured. */
export function commit() {
  try {
    const options = { encoding: 'utf8', cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] }
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim()
  } catch {
    return 'unknown'
  }
}
