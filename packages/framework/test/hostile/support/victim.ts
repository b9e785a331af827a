import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createTestServer } from '../../../dist/testing/index.js'
import { SUPPORTED } from '../../support/requests.ts'

// A server in a process of its own, which a test attacks and asks how it is: run by `fork`.

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

/** How a process is after its garbage was collected. */
export interface Sample {
  readonly rssBytes: number
  readonly heapBytes: number
  /** Open descriptors; of handles that keep the process alive where the system does not tell. */
  readonly descriptors: number
  readonly connections: number
  readonly timers: number
  readonly strays: readonly string[]
}

const strays: string[] = []
process.on('unhandledRejection', (reason) => strays.push(`unhandledRejection: ${String(reason)}`))
process.on('uncaughtException', (error) => strays.push(`uncaughtException: ${String(error)}`))

const server = await createTestServer({
  contexts: SUPPORTED,
  timeouts: { acseMs: 500, dimseMs: 500, networkMs: 500 },
  limits: { maximumAssociations: 500, maximumPendingAssociations: 500 },
  handlers: {
    cStore: async (request) => {
      for await (const _ of request.dataSet.bytes());
      return 0
    },
    cFind: async function* (request) {
      await request.identifier.dataset()
      for (let index = 0; index < 20; index++) yield { PatientID: String(index) }
    },
    cGet: () => ({ instances: [] }),
    nCreate: async (request) => (await request.attributeList?.dataset(), 0),
  },
})

function descriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return process.getActiveResourcesInfo().filter((name) => /Socket|Pipe|TCP/.test(name)).length
  }
}

process.on('message', () => {
  ;(server.log as unknown[]).length = 0
  collectGarbage()
  // What finalizers let go of.
  setImmediate(() => {
    collectGarbage()
    const sample: Sample = {
      rssBytes: process.memoryUsage.rss(),
      heapBytes: process.memoryUsage().heapUsed,
      descriptors: descriptors(),
      connections: server.server.connections,
      timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
      strays,
    }
    process.send?.(sample)
  })
})
process.on('disconnect', () => process.exit(0))
process.send?.(server.port)
