import { markdown, spread } from '../compare/report.mjs'
import { REFERENCE } from './senders.mjs'

const GIB = 2 ** 30

/** A table of the senders to one sink: `median (min-max)`, ratios within each repetition, where all ran in turn. */
export function sendTable(title, senders, results, bytes) {
  const columns = [
    { name: 'MiB/s', of: ({ seconds }) => bytes / 2 ** 20 / seconds, digits: 0 },
    { name: 'process s', of: ({ processSeconds }) => processSeconds, digits: 2 },
    { name: 'CPU s/GiB', of: ({ cpuSeconds }) => (cpuSeconds * GIB) / bytes, digits: 2 },
    { name: 'peak RSS MiB', of: ({ peakRssMib }) => peakRssMib, digits: 0 },
  ]
  const ratios = [
    { name: `x as fast as ${REFERENCE}`, of: (own, other) => other.seconds / own.seconds },
    { name: 'whole process', of: (own, other) => other.processSeconds / own.processSeconds },
    { name: 'x its CPU', of: (own, other) => own.cpuSeconds / other.cpuSeconds },
  ]
  const rows = senders.flatMap((sender) => {
    const own = results.filter((result) => result.sender === sender)
    const good = own.filter(({ error }) => error === undefined)
    const problems = [...new Set(own.flatMap(({ error }) => error ?? []))]
    const cells = columns.map(({ of, digits }) => spread(good.map(of), digits))
    const compared = ratios.map(({ of }) => (sender === REFERENCE ? '' : spread(withReference(good, results, of), 2)))
    return own.length === 0 ? [] : [[sender, ...cells, ...compared], ...problems.map((problem) => [`^ ${problem}`])]
  })
  return `${title}\n\n${markdown(['', ...columns.map(({ name }) => name), ...ratios.map(({ name }) => name)], rows)}`
}

function withReference(results, all, of) {
  return results.map((own) => {
    const other = all.find(({ sender, repetition, error }) => sender === REFERENCE && repetition === own.repetition && error === undefined)
    return other === undefined ? undefined : of(own, other)
  })
}
