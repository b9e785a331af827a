import test from 'ava'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arrival, InstanceIndex } from '../../dist/database/instance-index.js'
import { Intake } from '../../dist/intake/register-intake.js'
import { StaleFiles } from '../../dist/intake/stale-files.js'
import type { InstanceReader, ReadInstance } from '../../dist/maintenance/read-instance.js'
import { type Reindexer, reindexWith } from '../../dist/maintenance/reindexer.js'
import { instanceOf } from '../database/support/instances.js'
import { silentLog } from '../database/support/log.js'
import { temporaryFolder } from './support/archive.js'

const STORED = { relativePath: 'P1/1.dcm', sopInstanceUid: '1', outcome: 'new', transferSyntaxUid: '1.2.840.10008.1.2.1', dataSetBytes: 8, dataSetHead: new Uint8Array(8) } as const

/** What the intake has for an object that was stored, where reading it says `read`. */
async function arrivalWhere(read: ReadInstance, given: Partial<typeof STORED> | { readonly dataSetHead: undefined } = {}): Promise<{ readonly arrival: Arrival | undefined; readonly stale: string[]; readonly lines: readonly string[] }> {
  let arrival: Arrival | undefined
  const stale: string[] = []
  const log = silentLog()
  const index = {
    addSoon: (arrive: () => Arrival | undefined) => {
      arrival = arrive()
      return arrival !== undefined
    },
    add: () => Promise.resolve(),
  } as unknown as InstanceIndex
  const reader = { read: () => Promise.resolve(read), readHead: () => Promise.resolve(undefined) } as unknown as InstanceReader
  const files = { add: (name: string) => stale.push(name), settle: () => undefined, close: () => Promise.resolve() } as unknown as StaleFiles
  const intake = new Intake({ index, reader, stale: files, log })
  await intake.stored({ ...STORED, ...given })
  return { arrival, stale, lines: log.lines }
}

test('what has arrived and cannot be read is tried again; what is gone is left out; what says nothing is told', async (t) => {
  const instance = instanceOf()
  t.is(await (await arrivalWhere({ instance, problem: undefined })).arrival?.read(), instance)
  await t.throwsAsync((await arrivalWhere({ reason: 'it cannot be read (EMFILE)', code: 'EMFILE' })).arrival?.read() as Promise<unknown>, { code: 'DICOMTAP_ERR_QR_DATABASE', message: /EMFILE/ })
  t.is(await (await arrivalWhere({ reason: 'it is gone', code: 'ENOENT' })).arrival?.read(), undefined)
  const nothing = await arrivalWhere({ reason: 'it lacks the UID of its study', code: undefined })
  t.is(await nothing.arrival?.read(), undefined)
  t.regex(nothing.lines.join('\n'), /^warn: a stored object cannot be queried: it is not in the index/)
  const refused = await arrivalWhere({ instance, problem: undefined })
  refused.arrival?.refused(new Error('no'))
  t.deepEqual(refused.stale, ['P1/1.dcm'])
  t.is((await arrivalWhere({ instance, problem: undefined }, { dataSetHead: undefined })).arrival, undefined)
})

test('files that were left to see to: those that cannot be read for the moment are not forgotten', async (t) => {
  const root = await temporaryFolder(t)
  const index = { rows: async function* () {}, remove: () => Promise.resolve({ instances: 0 }), add: () => Promise.resolve(), database: { selectFrom: () => ({ innerJoin: () => ({ select: () => ({ where: () => ({}) }) }) }) } } as unknown as InstanceIndex
  const log = silentLog()
  const reindex = (reads: Readonly<Record<string, ReadInstance>>): Promise<boolean> =>
    reindexWith({ read: (name: string) => Promise.resolve(reads[name]) } as unknown as InstanceReader, root, log)(index, Object.keys(reads))
  const gone = { reason: 'gone', code: 'ENOENT' }
  t.false(await reindex({ a: gone, b: gone }), 'the folder is empty')
  await writeFile(join(root, '.hidden'), '')
  t.false(await reindex({ a: gone }))
  await writeFile(join(root, 'x.dcm'), '')
  t.true(await reindex({ a: gone }))
  await t.throwsAsync(reindex({ a: gone, b: { reason: 'no', code: 'EMFILE' } }), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /EMFILE/ })
  t.deepEqual(log.lines, [])
  t.true(await reindex({ a: { reason: 'no', code: 'EACCES' } }))
  t.deepEqual(log.lines, ['warn: stored objects cannot be queried: their files cannot be read'])
})

test('a file that the index does not take keeps no other from it, and is tried again by itself', async (t) => {
  const tried: string[] = []
  let isBad = true
  const stale = new StaleFiles({
    settle: (name: string) => {
      tried.push(name)
      if (!isBad || name.startsWith('good')) return Promise.resolve({ did: 'added' })
      return name === 'unreadable' ? Promise.resolve({ did: 'nothing', why: { reason: '', code: 'EACCES' } }) : Promise.reject(new Error('no'))
    },
  } as unknown as Reindexer)
  t.teardown(() => stale.close())
  for (const name of ['bad', 'unreadable', 'good 1', 'good 2']) stale.add(name)
  stale.settle()
  while (stale.size > 2) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(tried, ['bad', 'unreadable', 'good 1', 'good 2'])
  isBad = false
  const alive = setInterval(() => undefined, 1000)
  while (stale.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  clearInterval(alive)
  t.deepEqual(tried.slice(4), ['bad', 'unreadable'])
})
