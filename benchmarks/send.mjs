#!/usr/bin/env node
// Sends the same files with dicomtap and with DCMTK's storescu, in turns, to a sink. See README.md.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from './compare/report.mjs'
import { dcmtkVersion } from './compare/servers.mjs'
import { makeWorkFolder } from './compare/work-folder.mjs'
import { writeObject } from './load/part10.mjs'
import { sopInstanceUid } from './load/uids.mjs'
import { sendTable } from './send/report.mjs'
import { runSender } from './send/run-sender.mjs'
import { REFERENCE, SENDERS } from './send/senders.mjs'
import { startSinkProcess } from './send/sink-process.mjs'

const USAGE = `node send.mjs [options]

  --repetitions <n>     default 5
  --files <n>           default 200
  --size <bytes>        of each data set; default 524288
  --pdus <a,b,...>      maximum lengths that the sink announces, 0 is any; default 0,16384,131072
  --senders <a,b,...>   default ${Object.keys(SENDERS).join(',')}
  --directory <path>    where the files to send are made; default ./data in this package
  --json <file>         also write every single result, as a JSON array`

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '5' },
    files: { type: 'string', default: '200' },
    size: { type: 'string', default: '524288' },
    pdus: { type: 'string', default: '0,16384,131072' },
    senders: { type: 'string', default: Object.keys(SENDERS).join(',') },
    directory: { type: 'string', default: fileURLToPath(new URL('./data', import.meta.url)) },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const names = values.senders.split(',')
const unknown = names.filter((name) => !(name in SENDERS))
if (values.help || unknown.length > 0) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(values.help ? 0 : 2)
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const [repetitions, files, size] = [values.repetitions, values.files, values.size].map(Number)
const pdus = values.pdus.split(',')
const dcmtk = dcmtkVersion()
const senders = names.filter((name) => dcmtk !== undefined || SENDERS[name].needsDcmtk !== true)
if (dcmtk === undefined) console.error(`DCMTK is not installed (no ${REFERENCE} in PATH): dicomtap is measured alone.`)

const folder = await makeWorkFolder(values.directory, files * size)
const directory = folder.next()
let bytes = 0
for (let index = 0; index < files; index++) {
  bytes += writeObject(join(directory, `${String(index).padStart(6, '0')}.dcm`), { sizeBytes: size, sopInstanceUid: sopInstanceUid(0, index) })
}
await folder.settle()

const results = []
for (const pdu of pdus) {
  const sink = await startSinkProcess('--pdu', pdu)
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (let turn = 0; turn < senders.length; turn++) {
      // Each time another one begins.
      const sender = senders[(turn + repetition - 1) % senders.length]
      const result = await runOnce(SENDERS[sender], sink)
      results.push({ pdu: Number(pdu), sender, repetition, ...result })
      console.error(`${repetition}/${repetitions} ${pdu} ${sender} ${JSON.stringify(result)}`)
    }
  }
  await sink.stop()
}
folder.remove()

console.log(`${machine(dcmtk)}\n${repetitions} repetitions in turns: median (min-max)\n`)
for (const pdu of pdus) {
  const title = `${files} files of ${size / 1024} KiB on one association, maximum length ${pdu === '0' ? 'unlimited' : pdu}`
  console.log(`${sendTable(title, senders, results.filter((result) => result.pdu === Number(pdu)), bytes)}\n`)
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 1)}\n`)
if (results.some(({ error }) => error !== undefined)) process.exitCode = 1

async function runOnce({ command, environment, associations = 1, isWarm = false }, sink) {
  try {
    const { output, ...whole } = await runSender(command(sink.port, directory), environment)
    let seen
    for (let count = 0; count < associations; count++) seen = await sink.next()
    if (seen.messages !== files || seen.dataSetBytes !== bytes) return { error: `the sink got ${seen.messages} objects, ${seen.dataSetBytes} bytes` }
    if (!isWarm) return { ...seen, ...whole }
    const { cpuSeconds } = JSON.parse(output)
    return { ...seen, cpuSeconds, peakRssMib: whole.peakRssMib }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}
