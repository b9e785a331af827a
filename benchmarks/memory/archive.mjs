#!/usr/bin/env node
// An archive of one instance, which answers every C-GET and C-MOVE with it, drawn from its file piece by piece.
//   node memory/archive.mjs --port 11112 --path large.dcm --offset 342 --uid 2.25.1 --destination 11113
import { createReadStream } from 'node:fs'
import { parseArgs } from 'node:util'
import { ApplicationEntity, StudyRoot, definePlugin } from '@dicomtap/framework'
import { verification } from '@dicomtap/plugin-verification'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES } from '../load/uids.mjs'

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    path: { type: 'string' },
    // Where in the file its data set begins.
    offset: { type: 'string' },
    uid: { type: 'string' },
    // Port that a C-MOVE goes to.
    destination: { type: 'string', default: '0' },
    timeout: { type: 'string', default: '600' },
  },
})

const PIECE_BYTES = 262_144
const transferSyntaxes = [TRANSFER_SYNTAXES.explicit]
const instance = {
  sopClassUid: CT_IMAGE_STORAGE,
  sopInstanceUid: values.uid,
  transferSyntaxUid: TRANSFER_SYNTAXES.explicit,
  bytes: () => createReadStream(values.path, { start: Number(values.offset), highWaterMark: PIECE_BYTES }),
}

const archive = definePlugin({
  name: 'one-instance',
  apply(api) {
    for (const uid of [StudyRoot.Get, StudyRoot.Move]) api.supportSopClass({ uid, transferSyntaxes })
    api.supportSopClass({ uid: CT_IMAGE_STORAGE, transferSyntaxes, roles: { scu: true, scp: true } })
    const answer = async () => ({ instances: [instance], total: 1 })
    api.hooks.cGet.tapPromise(answer)
    api.hooks.cMove.tapPromise(answer)
    api.hooks.moveDestination.tapPromise(async () => ({ host: '127.0.0.1', port: Number(values.destination) }))
  },
})

const ae = new ApplicationEntity({
  aeTitle: 'BENCHMARK',
  logLevel: 'warn',
  timeouts: { dimseMs: Number(values.timeout) * 1000 },
})
await ae.use(verification(), archive())
await ae.listen({ port: Number(values.port), host: '127.0.0.1' })
process.once('SIGTERM', () => void ae.close({ deadlineMs: 1000 }).then(() => process.exit(0)))
