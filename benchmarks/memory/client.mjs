#!/usr/bin/env node
// The side that asks: sends a file, or has an instance sent by C-GET or C-MOVE. Prints a line of JSON when the
// association is there, and one with its figures at the end.
import { parseArgs } from 'node:util'
import { ApplicationEntity, StudyRoot } from '@dicomtap/framework'
import { peakRssMib, round } from '../load/process-usage.mjs'
import { CT_IMAGE_STORAGE, STUDY_INSTANCE_UID, TRANSFER_SYNTAXES } from '../load/uids.mjs'

const { values, positionals: [mode] } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    path: { type: 'string' },
    // How long a slow peer may take.
    timeout: { type: 'string', default: '600' },
  },
})

const transferSyntaxes = [TRANSFER_SYNTAXES.explicit]
const image = { abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes }
const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: STUDY_INSTANCE_UID }
let received = 0

const MODES = {
  store: {
    contexts: [image],
    run: async (association) => (await association.cStore(values.path)).status,
  },
  get: {
    contexts: [{ abstractSyntax: StudyRoot.Get, transferSyntaxes }, { ...image, roles: { scu: false, scp: true } }],
    handlers: { cStore: takeAndDrop },
    run: (association) => lastStatus(association.cGet(identifier, { model: StudyRoot.Get })),
  },
  move: {
    contexts: [{ abstractSyntax: StudyRoot.Move, transferSyntaxes }],
    run: (association) => lastStatus(association.cMove(identifier, { model: StudyRoot.Move, destination: 'DESTINATION' })),
  },
}

const { contexts, handlers, run } = MODES[mode]
const ae = new ApplicationEntity({
  aeTitle: 'DICOMTAP-MEMORY',
  logLevel: 'warn',
  timeouts: { dimseMs: Number(values.timeout) * 1000 },
})
const association = await ae.associate({
  host: '127.0.0.1',
  port: Number(values.port),
  contexts,
  ...(handlers === undefined ? {} : { handlers }),
})
print({ isEstablished: true })
const ownBefore = process.cpuUsage()
const startedAt = performance.now()
const status = await run(association)
const seconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage(ownBefore)
await association.release()
print({
  status,
  seconds: round(seconds, 3),
  cpuSeconds: round((user + system) / 1e6, 3),
  peakRssMib: round(peakRssMib(process.pid) || process.resourceUsage().maxRSS / 1024, 1),
  ...(mode === 'get' ? { receivedBytes: received } : {}),
})

async function takeAndDrop({ dataSet }) {
  received += await dataSet.pipeTo({ write: () => undefined })
  return 0x0000
}

async function lastStatus(responses) {
  let last
  for await (const response of responses) last = response.status
  return last
}

function print(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
