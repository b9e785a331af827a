#!/usr/bin/env node
// Sends load to a DICOM server and prints one line of JSON. See README.md.
import { parseArgs } from 'node:util'
import { assoc, echo, idle, start, store } from './load/modes.mjs'
import { TRANSFER_SYNTAXES } from './load/uids.mjs'
import { warmUp } from './load/warm-up.mjs'

const MODES = { echo, assoc, store, idle, start }
const USAGE = `node load.mjs <${Object.keys(MODES).join('|')}> --port <number> [options] [-- <command> for start]

  --host <address>      default 127.0.0.1
  --n <count>           messages on each association, associations in a row for assoc; default 100
  --associations <n>    at once; default 1, 500 for idle
  --size <bytes>        of a data set; default 524288
  --syntax <name>       ${Object.keys(TRANSFER_SYNTAXES).join(', ')}; default explicit
  --pdu <bytes>         longest P-DATA-TF sent; default what the peer takes, at most 1 MiB
  --called, --calling   AE titles; default ANY-SCP, DICOMTAP-LOAD
  --pid <number>        the server's process, to report its CPU seconds and memory (Linux)
  --wait <seconds>      idle: how long to wait for answers; default 12
  --timeout <seconds>   give up after; default 120`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string' },
    n: { type: 'string', default: '100' },
    associations: { type: 'string' },
    size: { type: 'string', default: '524288' },
    syntax: { type: 'string', default: 'explicit' },
    pdu: { type: 'string', default: '0' },
    called: { type: 'string', default: 'ANY-SCP' },
    calling: { type: 'string', default: 'DICOMTAP-LOAD' },
    pid: { type: 'string' },
    wait: { type: 'string', default: '12' },
    timeout: { type: 'string', default: '120' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const [mode = '', ...command] = positionals
const run = MODES[mode]
if (values.help || run === undefined || values.port === undefined || TRANSFER_SYNTAXES[values.syntax] === undefined) {
  console.error(USAGE)
  process.exit(values.help ? 0 : 2)
}

const deadline = setTimeout(() => finish({ mode, error: `not done after ${values.timeout} s` }), Number(values.timeout) * 1000)
try {
  await warmUp()
  finish(await run({
    mode,
    command,
    host: values.host,
    port: Number(values.port),
    n: Number(values.n),
    associations: Number(values.associations ?? (mode === 'idle' ? 500 : 1)),
    size: Number(values.size),
    syntax: values.syntax,
    pdu: Number(values.pdu),
    calledAeTitle: values.called,
    callingAeTitle: values.calling,
    pid: values.pid === undefined ? undefined : Number(values.pid),
    wait: Number(values.wait),
  }))
} catch (error) {
  finish({ mode, error: error instanceof Error ? error.message : String(error) })
}

function finish(result) {
  clearTimeout(deadline)
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(result.error === undefined ? 0 : 1))
}
