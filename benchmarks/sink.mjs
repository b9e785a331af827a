#!/usr/bin/env node
// An acceptor that answers 0000 and drops everything, to measure senders with. Prints a line of JSON when it
// listens, and one for each association. See README.md.
import { parseArgs } from 'node:util'
import { startSink } from './load/sink.mjs'
import { warmUpSink } from './load/warm-up.mjs'

const USAGE = `node sink.mjs [options]

  --port <number>       default 0, which lets the system choose
  --pdu <bytes>         maximum length that it announces; 0 is any; default 16384
  --pause-ms <n>        read nothing for so long after each --pause-every bytes
  --pause-every <bytes> default 1048576`

const { values } = parseArgs({
  options: {
    'port': { type: 'string', default: '0' },
    'pdu': { type: 'string', default: '16384' },
    'pause-ms': { type: 'string', default: '0' },
    'pause-every': { type: 'string', default: '1048576' },
    'help': { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.error(USAGE)
  process.exit(0)
}

const maximumLength = Number(values.pdu)
const ms = Number(values['pause-ms'])
await warmUpSink(maximumLength)
const { port } = await startSink({
  port: Number(values.port),
  maximumLength,
  pause: ms === 0 ? undefined : { ms, everyBytes: Number(values['pause-every']) },
  onAssociation: print,
})
print({ port })

function print(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
