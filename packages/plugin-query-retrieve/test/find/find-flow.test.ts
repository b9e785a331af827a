import { StudyRoot, TransferSyntax, definePlugin, encodeDataSet } from '@dicomtap/framework'
import type { PluginApi } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import type { TestScu, TestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { databaseError } from '../../dist/database/database-error.js'
import { attributesColumn } from '../../dist/find/plan.js'
import type { FindRow } from '../../dist/find/plan.js'
import { registerFind } from '../../dist/find/register-find.js'
import { queryRetrieveOptions } from '../../dist/options.js'
import { COMPILERS } from './support/compilers.js'
import { find } from './support/archive.js'
import { catalogue } from './support/queries.js'

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian
const row = (StudyInstanceUID: string, attributes: object = {}): FindRow => ({ StudyInstanceUID, [attributesColumn('STUDY')]: JSON.stringify(attributes) })

/** A server whose index gives these rows. */
async function serverWith(t: ExecutionContext, rows: (signal: AbortSignal) => AsyncIterable<FindRow>): Promise<{ server: TestServer; scu: TestScu }> {
  const plugin = definePlugin({
    name: 'find-only',
    async apply(api: PluginApi) {
      const parsed = await queryRetrieveOptions['~standard'].validate({})
      const options = (parsed as { value: object }).value
      const index = { ...COMPILERS.sqlite, rows: (_query: unknown, signal: AbortSignal) => rows(signal) }
      registerFind({ api, options, attributes: catalogue, index, directory: '' } as never)
    },
  })
  const server = await createTestServer({ plugins: [plugin()] })
  const scu = await testScu(server, { contexts: [[StudyRoot.Find, EXPLICIT]] })
  t.teardown(async () => {
    await scu[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  return { server, scu }
}

const EVERYTHING = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '' }

test('a database that is away is answered A700: the query may be put again', async (t) => {
  // oxlint-disable-next-line require-yield
  const { server, scu } = await serverWith(t, async function* () {
    throw databaseError('The database cannot be reached')
  })
  t.like(await find(scu, EVERYTHING), { status: 0xa700, comment: 'The index is not available', matches: { length: 0 } })
  t.deepEqual(server.logged('error'), [])
})

test('a database that goes away in between ends the matches with A700', async (t) => {
  const { scu } = await serverWith(t, async function* () {
    yield row('1.2.1')
    throw databaseError('The connection was lost')
  })
  t.like(await find(scu, EVERYTHING), { status: 0xa700, matches: { length: 1 } })
})

test('what fails otherwise is said without its text', async (t) => {
  // oxlint-disable-next-line require-yield
  const { scu } = await serverWith(t, async function* () {
    throw new Error('select * from patient where name = secret')
  })
  t.like(await find(scu, EVERYTHING), { status: 0xc311, comment: 'Processing failure' })
})

test('C-CANCEL is honoured within one row, and the cursor is closed', async (t) => {
  let drawn = 0
  let closed: (drawn: number) => void
  const isClosed = new Promise<number>((resolve) => (closed = resolve))
  const { scu } = await serverWith(t, async function* () {
    try {
      for (;;) yield row(`1.2.${++drawn}`)
    } finally {
      closed(drawn)
    }
  })
  const request = await scu.find(EVERYTHING, StudyRoot.Find)
  for await (const response of request) {
    if (response.status !== 0xff00) continue
    await scu.cancel(request)
    break
  }
  const { status } = await request.final()
  t.is(status, 0xfe00)
  // What was drawn was sent, but for the row in hand.
  t.true((await isClosed) - (request.responses.length - 1) <= 1)
})

test('rows that all do not match let others have their turn, and C-CANCEL through', async (t) => {
  let isClosed = false
  const { server, scu } = await serverWith(t, async function* () {
    try {
      for (;;) yield row('1.2.3', { ReferringPhysicianName: [{ Alphabetic: 'Nobody' }] })
    } finally {
      isClosed = true
    }
  })
  const request = await scu.find({ ...EVERYTHING, ReferringPhysicianName: 'Somebody*' }, StudyRoot.Find)
  // Another association is made and served meanwhile.
  await using other = await testScu(server, { contexts: [[StudyRoot.Find, EXPLICIT]] })
  t.is((await find(other, { QueryRetrieveLevel: 'NONE' })).status, 0xa900)
  await scu.cancel(request)
  t.is((await request.final()).status, 0xfe00)
  t.is(request.responses.length, 1)
  await scu.release()
  t.true(isClosed)
})

test('an association that ends closes the cursor', async (t) => {
  let closed: () => void
  const isClosed = new Promise<void>((resolve) => (closed = resolve))
  const { server, scu } = await serverWith(t, async function* (signal) {
    try {
      yield row('1.2.3')
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    } finally {
      closed()
    }
  })
  const identifier = await encodeDataSet(EVERYTHING, EXPLICIT)
  for await (const response of await scu.find(identifier, StudyRoot.Find)) {
    t.is(response.status, 0xff00)
    break
  }
  await scu.abort()
  await isClosed
  t.deepEqual(server.logged('error'), [])
})
