import { runLoad } from './run-load.mjs'
import { startServer } from './server-process.mjs'
import { SERVERS } from './servers.mjs'
import { summary } from './tables.mjs'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const LIMIT_SECONDS = 240
const WARM_UPS = 4
/** Associations. */
const FEW = 50
const WARM_UP_BYTES = 128 * MIB
const SERVERS_MEASURED = ['dicomtap', 'c-sink-file']
/** As many messages, whatever the number of associations. */
const ECHOES = 8000
const STORES = 2000

export const ASSOCIATIONS = [1, 8, 64, 500]
/** Size of an object, and how many of them. */
export const SIZES = [[8 * KIB, 2000], [64 * KIB, 1000], [512 * KIB, 200], [4 * MIB, 32], [32 * MIB, 8], [256 * MIB, 2], [GIB, 1], [4 * GIB, 1]]

/** What is held against the number of associations, and against the size of an object. */
export const SERIES = {
  'echo': { axis: 'associations', title: 'CPU of a C-ECHO, by the number of associations that it comes on', unit: 'CPU µs', of: cpuEach, points: ASSOCIATIONS.map((n) => [n, ['echo', '--held', '--n', String(Math.ceil(ECHOES / n)), '--associations', String(n)], 0]) },
  'store': { axis: 'associations', title: 'CPU of a C-STORE of 8 KiB, by the number of associations that it comes on', unit: 'CPU µs', of: cpuEach, points: ASSOCIATIONS.map((n) => [n, ['store', '--held', '--n', String(Math.ceil(STORES / n)), '--associations', String(n), '--size', String(8 * KIB)], STORES * 8 * KIB]) },
  'association': { axis: 'associations', title: 'CPU of an association, from connection to acceptance, by how many there are at once', unit: 'CPU µs', of: ({ openCpuSeconds, accepted }) => (openCpuSeconds * 1e6) / accepted, timesOfFew: 7, points: ASSOCIATIONS.map((n) => [n, ['idle', '--associations', String(n)], 0]) },
  'object': { axis: 'bytes', title: 'CPU of a C-STORE for each MiB, by the size of the object', unit: 'CPU µs per MiB', of: ({ cpuSecondsPerGib }) => (cpuSecondsPerGib * 1e6) / 1024, points: SIZES.map(([size, n]) => [size, ['store', '--n', String(n), '--size', String(size)], n * size]) },
  'memory': { axis: 'bytes', title: 'Peak RSS of the server, by the size of the object', unit: 'MiB', of: ({ peakRssMib }) => peakRssMib, isAbsolute: true, isFresh: true, points: SIZES.map(([size, n]) => [size, ['store', '--n', String(n), '--size', String(size)], n * size]) },
}

/**
 * Each series on a server of its own, which has run the points some times before; of an `isFresh` one each point on a new
 * server, whose memory no other point has taken. What a few associations cost is less than a clock says: it is asked
 * `timesOfFew` as often.
 */
export async function runGrowth({ folder, repetitions, servers, largestBytes, progress }) {
  const results = []
  const groups = Object.entries(SERIES).flatMap(([name, series]) => {
    const points = series.points.filter(([, , bytes]) => bytes <= largestBytes)
    return series.isFresh === true ? points.map((point) => ({ name, series, points: [point] })) : [{ name, series, points }]
  })
  for (const { name, series, points } of groups) {
    for (const server of SERVERS_MEASURED.filter((one) => servers.includes(one))) {
      const directory = folder.next()
      const emptied = new Set()
      const running = await startServer(SERVERS[server], directory)
      const load = async ([value, options, bytes]) => {
        folder.touch(Math.min(bytes, GIB))
        const result = await runLoad(options, { ...running, timeoutSeconds: LIMIT_SECONDS })
        folder.empty(directory, emptied)
        await folder.settle()
        return { value, result }
      }
      try {
        // All that the series does, until its code is compiled: or the first points would be the dearest.
        for (let count = 0; count < (series.isFresh === true ? 0 : WARM_UPS); count++) {
          for (const point of points.filter(([, , bytes]) => bytes <= WARM_UP_BYTES)) await load(point)
        }
        for (const point of points) {
          const isOnce = series.isFresh === true || point[2] > GIB
          const times = isOnce ? 1 : repetitions * (point[0] < FEW ? (series.timesOfFew ?? 1) : 1)
          for (let repetition = 1; repetition <= times; repetition++) {
            const { value, result } = await load(point)
            results.push({ series: name, server, value, repetition, ...result })
            progress(`growth ${name} ${server} ${value} ${repetition}/${times} ${JSON.stringify(result)}`)
          }
        }
      } finally {
        await running.stop()
      }
    }
  }
  return results
}

/** `[[value, median], ...]` of a series for a server. */
export function pointsOf(name, server, results) {
  const { of } = SERIES[name]
  const own = results.filter((one) => one.series === name && one.server === server && one.error === undefined && one.failures === undefined)
  return [...new Set(own.map(({ value }) => value))].map((value) => [value, summary(own.filter((one) => one.value === value).map(of))?.median]).filter(([, median]) => median !== undefined)
}

/** What it costs at the end of the axis, as a multiple of the least that it costs before. */
export function growthOf(points) {
  if (points.length < 2) return undefined
  return points.at(-1)[1] / Math.min(...points.slice(0, -1).map(([, value]) => value))
}

function cpuEach({ cpuSeconds, messages }) {
  return (cpuSeconds * 1e6) / messages
}
