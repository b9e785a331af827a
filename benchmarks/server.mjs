#!/usr/bin/env node
// The dicomtap server that the benchmarks measure: verification and storage, nothing logged.
//   node server.mjs --port 11112 --directory ./data --durability close
//   node server.mjs --port 11112 --discard            takes objects and drops their bytes
//   node server.mjs --port 11112 --directory ./data --index ./index.sqlite
// --index <file or postgres:// URL> answers queries.
// --window <n> negotiates asynchronous operations; --pause-ms <n> has the sink of --discard take its time after
// each --pause-every bytes. --cold leaves out the warm-up that `dicomtap start` does.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ApplicationEntity, definePlugin, storageSopClasses } from '@dicomtap/framework'
import { verification } from '@dicomtap/plugin-verification'

const { values } = parseArgs({
  options: {
    'port': { type: 'string' },
    'directory': { type: 'string' },
    'durability': { type: 'string', default: 'fsync' },
    'discard': { type: 'boolean', default: false },
    'index': { type: 'string' },
    'window': { type: 'string' },
    'pause-ms': { type: 'string', default: '0' },
    'pause-every': { type: 'string', default: '1048576' },
    'cold': { type: 'boolean', default: false },
  },
})

const MAXIMUM_ASSOCIATIONS = 1000

/** The protocol alone: every byte arrives at a sink, which drops it. */
const discard = definePlugin({
  name: 'discard',
  apply(api) {
    const transferSyntaxes = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2', '1.2.840.10008.1.2.4.50']
    for (const { uid } of storageSopClasses()) api.supportSopClass({ uid, transferSyntaxes })
    api.hooks.cStore.tapPromise(async ({ dataSet }) => {
      await dataSet.pipeTo(droppingSink())
      return 0x0000
    })
  },
})

function droppingSink() {
  const [ms, everyBytes] = [Number(values['pause-ms']), Number(values['pause-every'])]
  if (ms === 0) return { write: () => undefined }
  let taken = 0
  return {
    write(fragments) {
      for (const { length } of fragments) taken += length
      if (taken < everyBytes) return undefined
      taken = 0
      return delay(ms)
    },
  }
}

const ae = new ApplicationEntity({
  aeTitle: 'BENCHMARK',
  logLevel: 'warn',
  warmUp: !values.cold,
  limits: { maximumAssociations: MAXIMUM_ASSOCIATIONS, maximumPendingAssociations: MAXIMUM_ASSOCIATIONS },
})
await ae.use(verification(), values.discard ? discard() : await storagePlugin())
if (values.index !== undefined) await ae.use(await queryRetrievePlugin())
if (values.window !== undefined) {
  const { asyncOperations } = await import('@dicomtap/plugin-async-operations')
  await ae.use(asyncOperations({ acceptor: { performed: Number(values.window) } }))
}
await ae.listen({ port: Number(values.port ?? 11_112), host: '127.0.0.1' })
process.once('SIGTERM', () => void ae.close({ deadlineMs: 1000 }).then(() => process.exit(0)))

async function storagePlugin() {
  const { storage } = await import('@dicomtap/plugin-storage')
  return storage({ directory: values.directory ?? './data', durability: values.durability })
}

async function queryRetrievePlugin() {
  const { queryRetrieve } = await import('@dicomtap/plugin-query-retrieve')
  const { index } = values
  return queryRetrieve({
    database: index.startsWith('postgres:') ? { postgres: { url: index } } : { sqlite: index },
    relationalQueries: 'always',
    // A synthetic index has no files.
    scanAtStart: false,
  })
}
