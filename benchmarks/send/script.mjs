#!/usr/bin/env node
// Sends the files of a folder with `association.cStore`, as a program of a user would. Prints one line of JSON.
//   node send/script.mjs --port 11112 --directory ./files --calls 2
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ApplicationEntity } from '@dicomtap/framework'
import { round } from '../load/process-usage.mjs'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES } from '../load/uids.mjs'

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    directory: { type: 'string' },
    // Calls of cStore that wait at once; on the wire it is one request at a time.
    calls: { type: 'string', default: '1' },
    // Requests outstanding at once on the wire.
    window: { type: 'string', default: '1' },
    // Times that the files are sent, each on an association of its own; the last one is reported.
    rounds: { type: 'string', default: '1' },
  },
})

const ae = new ApplicationEntity({ aeTitle: 'DICOMTAP-SEND', logLevel: 'warn' })
let result
for (let count = 0; count < Number(values.rounds); count++) result = await sendAll()
process.stdout.write(`${JSON.stringify(result)}\n`)
if (result.failed > 0) process.exitCode = 1

async function sendAll() {
  const files = readdirSync(values.directory).sort().map((name) => join(values.directory, name))
  const ownBefore = process.cpuUsage()
  const startedAt = performance.now()
  const association = await ae.associate({
    host: '127.0.0.1',
    port: Number(values.port),
    contexts: [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [TRANSFER_SYNTAXES.explicit] }],
    ...(values.window === '1' ? {} : { asynchronousOperations: { invoked: Number(values.window), performed: 1 } }),
  })
  const { invoked } = association.asynchronousOperations
  if (invoked !== Number(values.window)) throw new Error(`a window of ${values.window} was proposed, ${invoked} negotiated`)
  let next = 0
  let failed = 0
  const caller = async () => {
    while (next < files.length) {
      const { status } = await association.cStore(files[next++])
      if (status !== 0) failed += 1
    }
  }
  await Promise.all(Array.from({ length: Number(values.calls) }, caller))
  const seconds = (performance.now() - startedAt) / 1000
  await association.release()
  const { user, system } = process.cpuUsage(ownBefore)
  return { files: files.length, failed, seconds: round(seconds, 4), cpuSeconds: round((user + system) / 1e6, 3) }
}
