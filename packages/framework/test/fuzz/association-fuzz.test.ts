import test from 'ava'
import { createTestServer } from '../../dist/testing/index.js'
import type { TestServer } from '../../dist/testing/index.js'
import { healthy } from '../support/healthy.ts'
import { Random } from '../support/random.ts'
import { SUPPORTED } from '../support/requests.ts'
import { CT_IMAGE, IMPLICIT_LE } from '../support/uids.ts'
import { playMutated } from './mutated-association.ts'

// Whole associations, mutated and thrown at a running server. Short by default; a longer run elsewhere:
// DICOMTAP_FUZZ_RUNS=100000 DICOMTAP_FUZZ_SEED=$RANDOM. A failure names the seed of its run: give it as
// DICOMTAP_FUZZ_SEED with DICOMTAP_FUZZ_RUNS=1.
const RUNS = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 600)
const SEED = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20240609)
/** Associations at once. */
const PARALLEL = 16
/** A healthy peer asks after so many runs. */
const PROBE_EVERY = 200

async function fuzzed(): Promise<TestServer> {
  return createTestServer({
    contexts: SUPPORTED.map((context) => ({ ...context, roles: { scu: true, scp: true } })),
    limits: { maximumAssociations: 1_000, maximumPendingAssociations: 1_000 },
    // Short enough that what hangs is found, long enough for a machine that is busy.
    timeouts: { acseMs: 2_000, dimseMs: 2_000, networkMs: 2_000, handlerMs: 2_000 },
    handlers: {
      userIdentity: (identity) => ({ verified: identity.primaryField.length > 0, response: identity.primaryField }),
      asyncOperations: (proposed) => ({
        invoked: proposed.maximumNumberOperationsInvoked,
        performed: proposed.maximumNumberOperationsPerformed,
      }),
      sopClassExtended: (proposed) => proposed,
      sopClassCommonExtended: (proposed) => proposed,
      cStore: async (request) => {
        let length = 0
        await request.dataSet.pipeTo({
          write: (fragments) => {
            for (const fragment of fragments) length += fragment.length
          },
        })
        return length > 0 ? 0 : 0xa900
      },
      cFind: async function* (request: { identifier: { dataset(): Promise<object> } }) {
        yield await request.identifier.dataset()
        yield { PatientID: '2' }
      } as never,
      cGet: (request) => ({
        total: 2,
        instances: (async function* () {
          await request.identifier.buffer()
          const instance = { sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes: () => [Buffer.alloc(2_000)] }
          yield instance
          yield instance
        })(),
      }),
      nGet: () => ({ status: 0, dataset: { PatientID: '1' } }),
      nCreate: () => ({ status: 0, affectedSopInstanceUid: '1.2.3' }),
      nSet: async (request) => (await request.modificationList.buffer(), 0),
    },
  })
}

test('whole associations, mutated, against a running server: it answers every healthy peer, and nothing is left of the others', async (t) => {
  t.timeout(30_000 + RUNS * 100)
  const failures: string[] = []
  await using server = await fuzzed()
  const reached: Record<string, number> = {}
  for (const hook of ['associationEstablished', 'associationReleased', 'associationAborted', 'operationCompleted'] as const) {
    reached[hook] = 0
    server.ae.bind(hook, () => void (reached[hook]! += 1))
  }
  let run = 0
  const step = async (): Promise<void> => {
    const seed = SEED + run
    run += 1
    await playMutated(server.port, new Random(seed))
    const errors = server.logged('error').filter(isOfTheCore)
    if (errors.length > 0) failures.push(`up to seed ${seed}: ${errors.join('; ')}`)
  }
  while (run < RUNS && failures.length === 0) {
    const until = Math.min(RUNS, run + PROBE_EVERY)
    const worker = async (): Promise<void> => {
      while (run < until && failures.length === 0) await step()
    }
    await Promise.all(Array.from({ length: PARALLEL }, worker))
    await healthy(t, server, `seeds ${SEED} to ${SEED + run - 1}`)
  }
  t.deepEqual(failures, [])
  const deadline = Date.now() + 10_000
  while (server.server.connections > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
  t.is(server.server.connections, 0, `connections after seeds ${SEED} to ${SEED + RUNS - 1}`)
  t.deepEqual(server.ae.activeAssociations, [])
  // That the mutations go deep enough to be worth it.
  t.log(reached)
  for (const [hook, count] of Object.entries(reached)) t.true(count > RUNS / 100, `${hook}: ${count} of ${RUNS} runs`)
})

/** Handlers of this test may fail: on a data set that cannot be decoded, for instance. */
function isOfTheCore(message: string): boolean {
  return !message.includes('(bound)') && message !== 'a handler took too long'
}
