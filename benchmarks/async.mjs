#!/usr/bin/env node
// What the asynchronous operations window is worth on a link with a delay. See README.md.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ApplicationEntity } from '@dicomtap/framework'
import { delayedLink } from './async/delayed-link.mjs'
import { machine, markdown, spread } from './bench/tables.mjs'
import { startServer } from './bench/server-process.mjs'
import { dataSet } from './load/data-set.mjs'
import { round } from './load/process-usage.mjs'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES, sopInstanceUid } from './load/uids.mjs'

const USAGE = `node async.mjs [options]

  --windows <a,b,...>   operations outstanding at once; default 1,8
  --n <count>           instances; default 200
  --size <bytes>        of a data set; default 65536
  --delay <ms>          of the link, there and back; default 20
  --repetitions <n>     default 3
  --check               exit with 1 unless the last window takes less than a third of the time of the first
  --json                the results as one line of JSON`

const { values } = parseArgs({
  options: {
    windows: { type: 'string', default: '1,8' },
    n: { type: 'string', default: '200' },
    size: { type: 'string', default: '65536' },
    delay: { type: 'string', default: '20' },
    repetitions: { type: 'string', default: '3' },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.error(USAGE)
  process.exit(0)
}

/** The last window's share of the first one's time that is asked for. */
const REQUIRED_SHARE = 1 / 3
const WARM_UP_INSTANCES = 20
const SERVER = fileURLToPath(new URL('./server.mjs', import.meta.url))
const [n, sizeBytes, delayMs, repetitions] = [values.n, values.size, values.delay, values.repetitions].map(Number)
const windows = values.windows.split(',').map(Number)

const server = await startServer({
  command: (port) => ({
    program: process.execPath,
    args: [SERVER, '--discard', '--port', String(port), '--window', String(Math.max(...windows))],
  }),
})
const link = await delayedLink({ port: server.port, delayMs: delayMs / 2 })
const ae = new ApplicationEntity({ aeTitle: 'DICOMTAP-ASYNC', logLevel: 'warn' })
const results = []
try {
  for (const window of windows) await storeAll(window, WARM_UP_INSTANCES)
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const window of windows) results.push({ repetition, window, seconds: round(await storeAll(window, n), 4) })
  }
} finally {
  link.close()
  await server.stop()
}

const [first, last] = [windows[0], windows.at(-1)]
const shares = sharesOfFirst(last)
if (values.json) console.log(JSON.stringify({ n, sizeBytes, delayMs, results, sharesOfFirst: shares.map((share) => round(share, 3)) }))
else report()
if (values.check && shares.some((share) => !(share < REQUIRED_SHARE))) {
  console.error(`a window of ${last} takes ${spread(shares, 3)} of the time of ${first}, not less than a third`)
  process.exitCode = 1
}

/** Seconds from the first call to the last answer, all calls made at once. */
async function storeAll(window, count) {
  const association = await ae.associate({
    host: '127.0.0.1',
    port: link.port,
    contexts: [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [TRANSFER_SYNTAXES.explicit] }],
    asynchronousOperations: { invoked: window, performed: 1 },
  })
  const { invoked } = association.asynchronousOperations
  if (invoked !== window) throw new Error(`a window of ${window} was proposed, ${invoked} negotiated`)
  const sources = Array.from({ length: count }, (_, index) => instance(index))
  const startedAt = performance.now()
  const answers = await Promise.all(sources.map((source) => association.cStore(source)))
  const seconds = (performance.now() - startedAt) / 1000
  await association.release()
  const failure = answers.find(({ status }) => status !== 0)
  if (failure !== undefined) throw new Error(`answered ${failure.status.toString(16)}`)
  return seconds
}

function instance(index) {
  const transferSyntaxUid = TRANSFER_SYNTAXES.explicit
  const uid = sopInstanceUid(1, index)
  const { head, pixelBytes } = dataSet({ transferSyntax: transferSyntaxUid, sizeBytes, sopInstanceUid: uid })
  const bytes = Buffer.concat([head, Buffer.alloc(pixelBytes)])
  return { sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid: uid, transferSyntaxUid, bytes: () => bytes }
}

function sharesOfFirst(window) {
  const secondsOf = (wanted) => results.filter((result) => result.window === wanted).map(({ seconds }) => seconds)
  const others = secondsOf(first)
  return secondsOf(window).map((seconds, index) => seconds / others[index])
}

function report() {
  console.log(`${machine(null)}\n${repetitions} repetitions in turns: median (min-max)\n`)
  console.log(`${n} C-STORE of ${sizeBytes / 1024} KiB, called at once, over a link with ${delayMs} ms there and back\n`)
  const rows = windows.map((window) => {
    const own = results.filter((result) => result.window === window)
    const share = window === first ? '' : spread(sharesOfFirst(window), 3)
    return [String(window), spread(own.map(({ seconds }) => seconds), 2), spread(own.map(({ seconds }) => (seconds * 1000) / n), 2), share]
  })
  console.log(markdown(['window', 'seconds', 'ms each', `share of the time with ${first}`], rows))
}
