import type { ExecutionContext, TestFn } from 'ava'
import { DicomtapError } from '@dicomtap/framework'
import { Migrator, sql } from 'kysely'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { InstanceIndex } from '../../../dist/database/instance-index.js'
import { migrations } from '../../../dist/database/migrations.js'
import { openIndex } from '../../../dist/database/open-index.js'
import type { DatabaseOptions } from '../../../dist/options.js'
import { instanceOf } from './instances.js'
import { silentLog, type TestLog } from './log.js'
import { runWriter } from './processes.js'

export interface TestDatabases {
  /** An empty database, gone after the test. */
  create(t: ExecutionContext): Promise<DatabaseOptions>
  /** How many cursors are open in the database; of all indexes. */
  openCursors(index: InstanceIndex, database: DatabaseOptions): Promise<number>
}

/** Opened and started; closed after the test. */
export async function startIndex(t: ExecutionContext, database: DatabaseOptions, log: TestLog = silentLog()): Promise<InstanceIndex> {
  const index = openIndex({ database, resolvePath: (path) => path, log })
  t.teardown(() => index.close())
  await index.start()
  return index
}

const collect = async <T>(rows: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const row of rows) list.push(row)
  return list
}

/** What must always hold: nothing is empty, nothing is without its owner, and sums are right. */
async function assertSound(t: ExecutionContext, index: InstanceIndex): Promise<void> {
  const { rows } = await sql<Record<string, number>>`select
    (select count(*) from patient p where not exists (select 1 from study s where s.patient = p.id)) as patients,
    (select count(*) from study s where not exists (select 1 from series x where x.study = s.id)) as studies,
    (select count(*) from series s where not exists (select 1 from instance i where i.series = s.id)) as series,
    (select count(*) from study t where size_bytes <> (select coalesce(sum(i.size_bytes), 0) from series s join instance i on i.series = s.id where s.study = t.id)) as sums,
    (select count(*) from study t where last_stored_at_ms < (select max(i.stored_at_ms) from series s join instance i on i.series = s.id where s.study = t.id)) as last,
    (select count(*) from name_token n where not exists (select 1 from patient p where p.id = n.patient)) as tokens,
    (select count(*) from key_value k where level = 0 and not exists (select 1 from patient p where p.id = k.owner)) +
    (select count(*) from key_value k where level = 1 and not exists (select 1 from study p where p.id = k.owner)) +
    (select count(*) from key_value k where level = 2 and not exists (select 1 from series p where p.id = k.owner)) +
    (select count(*) from key_value k where level = 3 and not exists (select 1 from instance p where p.id = k.owner)) as key_values`.execute(index.database)
  t.deepEqual({ ...rows[0] }, { patients: 0, studies: 0, series: 0, sums: 0, last: 0, tokens: 0, key_values: 0 })
}

/** What is asked of both databases. */
export function indexSuite(test: TestFn, databases: TestDatabases): void {
  const start = async (t: ExecutionContext): Promise<InstanceIndex> => startIndex(t, await databases.create(t))
  const counts = async (index: InstanceIndex): Promise<readonly number[]> => {
    const { patients, studies, series, instances } = await index.counts()
    return [patients, studies, series, instances]
  }

  test('what was added is found, at every level, and after a restart', async (t) => {
    const database = await databases.create(t)
    const index = await startIndex(t, database)
    t.true(index.isReady)
    await index.add(instanceOf({ patient: 'P7', name: 'muller^jurgen', study: '1.7', sizeBytes: 5_000_000_000 }))
    await index.close()
    t.false(index.isReady)
    const again = await startIndex(t, database)
    const row = await again.database
      .selectFrom('instance')
      .innerJoin('series', 'series.id', 'instance.series')
      .innerJoin('study', 'study.id', 'series.study')
      .innerJoin('patient', 'patient.id', 'study.patient')
      .select(['patient_key', 'patient_id', 'name_alphabetic', 'study_instance_uid', 'study_date', 'accession_number', 'modality', 'sop_instance_uid', 'path', 'instance.size_bytes', 'study.size_bytes as study_bytes', 'instance.attributes'])
      .executeTakeFirstOrThrow()
    t.deepEqual({ ...row }, {
      patient_key: 'P7',
      patient_id: 'P7',
      name_alphabetic: 'muller^jurgen',
      study_instance_uid: '1.7',
      study_date: '20240131',
      accession_number: 'A1.7',
      modality: 'CT',
      sop_instance_uid: '1.7.3.4',
      path: 'P7/1.7.3.4.dcm',
      size_bytes: 5_000_000_000,
      study_bytes: 5_000_000_000,
      attributes: '{"instance_number":"1"}',
    })
    await assertSound(t, again)
  })

  test('the same instance again takes its row over, an older file of it does not, and its own path always does', async (t) => {
    const index = await start(t)
    const file = async (): Promise<unknown> => (await index.database.selectFrom('instance').select(['path', 'size_bytes']).execute()).map((row) => [row.path, row.size_bytes])
    await index.add(instanceOf({ path: 'a', storedAtMs: 2000, sizeBytes: 1 }))
    await index.add(instanceOf({ path: 'b', storedAtMs: 3000, sizeBytes: 2 }))
    t.deepEqual(await file(), [['b', 2]])
    await index.add(instanceOf({ path: 'c', storedAtMs: 1000, sizeBytes: 3 }))
    t.deepEqual(await file(), [['b', 2]])
    await index.add(instanceOf({ path: 'b', storedAtMs: 1500, sizeBytes: 4 }))
    t.deepEqual(await file(), [['b', 4]])
    // Two at once are one after the other.
    await Promise.all([index.add(instanceOf({ path: 'd', storedAtMs: 4000 })), index.add(instanceOf({ path: 'e', storedAtMs: 5000 }))])
    t.deepEqual(await file(), [['e', 1000]])
    await assertSound(t, index)
  })

  test('a path that holds another instance now belongs to that one, and what is empty then is gone', async (t) => {
    const index = await start(t)
    await index.add(instanceOf({ patient: 'A', study: '1.1', path: 'same', keyValues: [{ tag: 1, value: 'old' }] }))
    await index.add(instanceOf({ patient: 'B', study: '1.2', path: 'same', keyValues: [{ tag: 1, value: 'new' }] }))
    t.deepEqual(await counts(index), [1, 1, 1, 1])
    t.deepEqual((await index.database.selectFrom('patient').select('patient_key').execute()).map((row) => row.patient_key), ['B'])
    t.deepEqual((await index.database.selectFrom('key_value').select('value').execute()).map((row) => row.value), ['new'])
    // Within a series that is known.
    await index.add(instanceOf({ patient: 'B', study: '1.2', sop: '1.2.3.5', path: 'other' }))
    await index.add(instanceOf({ patient: 'B', study: '1.2', sop: '1.2.3.6', path: 'other' }))
    t.deepEqual((await index.database.selectFrom('instance').select(['sop_instance_uid', 'path']).orderBy('sop_instance_uid').execute()).map((row) => ({ ...row })), [
      { sop_instance_uid: '1.2.3.4', path: 'same' },
      { sop_instance_uid: '1.2.3.6', path: 'other' },
    ])
    await assertSound(t, index)
  })

  test('attributes are those of the instance that was stored last, whenever it is added', async (t) => {
    const index = await start(t)
    const seen = async (): Promise<unknown> => {
      const row = await index.database.selectFrom('patient').innerJoin('study', 'study.patient', 'patient.id').innerJoin('series', 'series.study', 'study.id').select(['name_alphabetic', 'study_date', 'modality']).executeTakeFirstOrThrow()
      return [row.name_alphabetic, row.study_date, row.modality]
    }
    await index.add(instanceOf({ sop: '1', storedAtMs: 1000 }))
    await index.add(instanceOf({ sop: '2', storedAtMs: 3000, name: 'new^jane', studyDate: '20240303', modality: 'MR' }))
    t.deepEqual(await seen(), ['new^jane', '20240303', 'MR'])
    await index.add(instanceOf({ sop: '3', storedAtMs: 2000, name: 'old^jane', studyDate: '20240202', modality: 'US' }))
    t.deepEqual(await seen(), ['new^jane', '20240303', 'MR'])
    await index.add(instanceOf({ sop: '4', storedAtMs: 3000, name: 'newer^jane' }))
    t.deepEqual(await seen(), ['newer^jane', '20240131', 'CT'])
    await Promise.all([index.add(instanceOf({ sop: '5', storedAtMs: 5000, name: 'five' })), index.add(instanceOf({ sop: '6', storedAtMs: 4000, name: 'four' }))])
    t.deepEqual(await seen(), ['five', '20240131', 'CT'])
    t.deepEqual((await index.database.selectFrom('name_token').select('token').distinct().execute()).map((row) => row.token), ['five'])
    t.deepEqual(await counts(index), [1, 1, 1, 6])
  })

  test('a study whose patient changed moves, and a patient without a study is gone', async (t) => {
    const index = await start(t)
    const patients = async (): Promise<unknown> => (await index.database.selectFrom('patient').select('patient_key').orderBy('patient_key').execute()).map((row) => row.patient_key)
    await index.add(instanceOf({ patient: 'A', study: '1.1', sop: '1', storedAtMs: 1000 }))
    await index.add(instanceOf({ patient: 'A', study: '1.2', sop: '2', storedAtMs: 1000 }))
    await index.add(instanceOf({ patient: 'B', study: '1.1', sop: '3', storedAtMs: 2000 }))
    t.deepEqual(await patients(), ['A', 'B'])
    await index.add(instanceOf({ patient: 'B', study: '1.2', sop: '4', storedAtMs: 2000 }))
    t.deepEqual(await patients(), ['B'])
    // An older file moves nothing back.
    await index.add(instanceOf({ patient: 'A', study: '1.2', sop: '5', storedAtMs: 1500 }))
    t.deepEqual(await patients(), ['B'])
    await Promise.all([index.add(instanceOf({ patient: 'C', study: '1.1', sop: '6' })), index.add(instanceOf({ patient: 'D', study: '1.1', sop: '7' }))])
    t.deepEqual(await patients(), ['B', 'D'])
    t.deepEqual(await counts(index), [2, 2, 2, 7])
    await assertSound(t, index)
  })

  test('values that are looked up follow their rows', async (t) => {
    const index = await start(t)
    const values = async (): Promise<unknown> => (await index.database.selectFrom('key_value').select(['level', 'tag', 'value']).orderBy('level').orderBy('value').execute()).map((row) => [row.level, row.tag, row.value])
    await index.add(instanceOf({ keyValues: [{ tag: 0xffffffff, value: 'x' }, { tag: 2, value: 'y' }], studyKeyValues: [{ tag: 3, value: 'z' }] }))
    t.deepEqual(await values(), [[1, 3, 'z'], [3, 0xffffffff, 'x'], [3, 2, 'y']])
    await index.add(instanceOf({ keyValues: [{ tag: 2, value: 'w' }], studyKeyValues: [] }))
    t.deepEqual(await values(), [[3, 2, 'w']])
    await index.add(instanceOf({ keyValues: [] }))
    t.deepEqual(await values(), [])
    await index.add(instanceOf({ keyValues: [{ tag: 2, value: 'v' }], studyKeyValues: [{ tag: 3, value: 'u' }] }))
    await index.remove(['P1/1.2.3.4.dcm'])
    t.deepEqual(await values(), [])
  })

  test('removal takes what is empty with it, once', async (t) => {
    const index = await start(t)
    await Promise.all(['1', '2', '3'].map((sop) => index.add(instanceOf({ patient: 'A', study: '1.1', sop, path: sop }))))
    await index.add(instanceOf({ patient: 'A', study: '1.2', sop: '4', path: '4' }))
    t.deepEqual(await index.remove(['1', 'nothing', '1']), { instances: 1, series: 0, studies: 0, patients: 0 })
    t.deepEqual(await index.remove(['2', '3']), { instances: 2, series: 1, studies: 1, patients: 0 })
    await assertSound(t, index)
    t.deepEqual(await index.remove(['4']), { instances: 1, series: 1, studies: 1, patients: 1 })
    t.deepEqual(await index.remove(['4']), { instances: 0, series: 0, studies: 0, patients: 0 })
    t.deepEqual(await index.remove([]), { instances: 0, series: 0, studies: 0, patients: 0 })
    t.deepEqual(await counts(index), [0, 0, 0, 0])
    await index.add(instanceOf())
    t.deepEqual(await counts(index), [1, 1, 1, 1])
  })

  test('one instance that cannot be written fails alone', async (t) => {
    const index = await start(t)
    const all = Array.from({ length: 40 }, (_, number) => instanceOf({ sop: String(number), ...(number % 13 === 5 ? { sizeBytes: Number.NaN } : {}) }))
    const results = await Promise.allSettled(all.map((instance) => index.add(instance)))
    t.deepEqual(results.flatMap(({ status }, number) => (status === 'rejected' ? [number] : [])), [5, 18, 31])
    for (const result of results) {
      if (result.status !== 'rejected') continue
      t.true(result.reason instanceof DicomtapError)
      t.is((result.reason as DicomtapError).code, 'DICOMTAP_ERR_QR_DATABASE')
      t.notRegex((result.reason as Error).message, /\n|doe|1\.2\.3/)
    }
    t.true(index.isReady)
    t.deepEqual(await counts(index), [1, 1, 1, 37])
    await assertSound(t, index)
  })

  test('hostile text is kept as far as it can be, and harms nobody', async (t) => {
    const index = await start(t)
    const hostile = ["'; drop table patient; --", '\u0000nul\u0000', '\ud800 half', 'half \udfff', '%_*?[a-z]\\', '\u{1f4a9}', 'ſß\u0301\u202e', ' ', '\r\n\t', 'x'.repeat(1_000_000), '$1 ?1 :a @b', '\\ud800 \\\\u0000 "', '\uffff\ufeff']
    for (const [number, text] of hostile.entries()) {
      await index.add({ ...instanceOf({ patient: `K${number}`, name: text.slice(0, 256), study: `1.${number}` }), path: `p${number}/${text.slice(0, 200)}`, instance: { columns: { instance_number: text.slice(0, 256) }, attributes: JSON.stringify({ text }), keyValues: [{ tag: 1, value: text.slice(0, 256) }] } })
    }
    const rows = await collect(index.rows(index.database.selectFrom('instance').select(['attributes', 'instance_number', 'path']).orderBy('id')))
    // As the functions of the database see it, too: NUL and halves of surrogate pairs are no text.
    const extracted = index.kind === 'sqlite' ? sql<string>`json_extract(attributes, '$.text')` : sql<string>`attributes::jsonb ->> 'text'`
    const texts = await index.database.selectFrom('instance').select(extracted.as('text')).orderBy('id').execute()
    t.deepEqual(rows.map((row) => (JSON.parse(row.attributes) as { text: string }).text), hostile.map((text) => text.replaceAll('\0', '\ufffd').toWellFormed()))
    t.deepEqual(texts.map(({ text }) => text), hostile.map((text) => text.replaceAll('\0', '\ufffd').toWellFormed()))
    const expected = hostile.map((text) => text.slice(0, 256).replaceAll('\0', '').toWellFormed())
    t.deepEqual(rows.map((row) => row.instance_number), expected)
    t.deepEqual((await index.database.selectFrom('patient').select('name_alphabetic').where('name_alphabetic', '=', hostile[2] as string).execute()).length, 1)
    await assertSound(t, index)
    t.is((await index.remove(rows.map((row) => row.path))).instances, hostile.length)
  })

  test('known paths, all paths in order, settings and counts', async (t) => {
    const index = await start(t)
    t.deepEqual(await index.knownPaths([]), new Map())
    const paths = Array.from({ length: 1100 }, (_, number) => `f/${String(number).padStart(5, '0')}`)
    await Promise.all(paths.map((path, number) => index.add(instanceOf({ sop: path, path, modality: number < 1000 ? 'CT' : 'MR', series: number < 1000 ? '1.1' : '1.2', sizeBytes: number, storedAtMs: 5000 + number }))))
    t.deepEqual(await index.knownPaths(['f/00003', 'f/99999', "x'"]), new Map([['f/00003', { sizeBytes: 3, storedAtMs: 5003 }]]))
    await t.throwsAsync(index.knownPaths(Array.from({ length: 501 }, String)), { instanceOf: RangeError })
    t.deepEqual((await collect(index.paths())).map(({ path }) => path), paths)
    t.deepEqual((await collect(index.paths('f/01097'))), [{ path: 'f/01098', sizeBytes: 1098, storedAtMs: 6098 }, { path: 'f/01099', sizeBytes: 1099, storedAtMs: 6099 }])
    // The order of code points, not that of a language.
    await Promise.all(['a', 'B', 'ä', '~', '\u{1f600}', '\uff5e'].map((path) => index.add(instanceOf({ study: '1.9', sop: path, path, sizeBytes: 0 }))))
    t.deepEqual((await collect(index.paths())).map(({ path }) => path).filter((path) => !path.startsWith('f/')), ['B', 'a', '~', 'ä', '\uff5e', '\u{1f600}'])
    t.is(await index.setting('mine'), undefined)
    await index.setSetting('mine', 'a')
    await index.setSetting('mine', 'b')
    t.is(await index.setting('mine'), 'b')
    await index.setSetting('mine', undefined)
    t.is(await index.setting('mine'), undefined)
    const { databaseBytes, ...rest } = await index.counts()
    t.true(databaseBytes > 10_000)
    t.deepEqual(rest, {
      patients: 1,
      studies: 2,
      series: 3,
      instances: 1106,
      bytes: (1099 * 1100) / 2,
      byModality: [
        { modality: 'CT', series: 2, instances: 1006, bytes: (999 * 1000) / 2 },
        { modality: 'MR', series: 1, instances: 100, bytes: (1099 * 1100) / 2 - (999 * 1000) / 2 },
      ],
    })
  })

  test('what studies keep of their instances is computed anew, and times may go back', async (t) => {
    const index = await start(t)
    // More than one transaction has.
    await Promise.all(Array.from({ length: 120 }, (_, number) => index.add(instanceOf({ study: `1.${number}`, path: `a${number}`, sizeBytes: number, storedAtMs: 9000 }))))
    await index.add(instanceOf({ study: '1.7', series: '1.7.9', path: 'other', sizeBytes: 5, storedAtMs: 3000 }))
    await Promise.all(Array.from({ length: 120 }, (_, number) => index.add(instanceOf({ study: `1.${number}`, path: `a${number}`, sizeBytes: number, storedAtMs: 1000 + number }))))
    await index.database.updateTable('study').set({ size_bytes: 1 }).where('study_instance_uid', '=', '1.110').execute()
    const studies = async (): Promise<unknown> =>
      (await index.database.selectFrom('study').select(['study_instance_uid', 'size_bytes', 'last_stored_at_ms']).where('study_instance_uid', 'in', ['1.7', '1.110', '1.119']).orderBy('size_bytes').execute()).map((row) => [row.study_instance_uid, row.size_bytes, row.last_stored_at_ms])
    t.deepEqual(await studies(), [['1.110', 1, 9000], ['1.7', 12, 9000], ['1.119', 119, 9000]])
    await index.recomputeStudies()
    t.deepEqual(await studies(), [['1.7', 12, 3000], ['1.110', 110, 1110], ['1.119', 119, 1119]])
    t.deepEqual((await index.database.selectFrom('study').select('id').where('last_stored_at_ms', '=', 9000).execute()).length, 0)
    await assertSound(t, index)
    await t.throwsAsync(index.recomputeStudies(AbortSignal.abort(new Error('enough'))), { message: 'enough' })
  })

  test('a loop that ends early, an abort and an error close the cursor', async (t) => {
    const database = await databases.create(t)
    const index = await startIndex(t, database)
    await Promise.all(Array.from({ length: 600 }, (_, number) => index.add(instanceOf({ sop: String(number) }))))
    const query = index.database.selectFrom('instance').selectAll().orderBy('id')
    for (const end of [1, 2, 50, 600, 1000]) {
      let seen = 0
      for await (const row of index.rows(query)) if (typeof row.id === 'number' && ++seen === end) break
      t.is(seen, Math.min(end, 600))
      t.is(await databases.openCursors(index, database), 0)
    }
    const iterator = index.rows(query)[Symbol.asyncIterator]()
    await iterator.next()
    t.is(await databases.openCursors(index, database), 1)
    // What is open keeps nobody from seeing what was added since.
    await index.add(instanceOf({ sop: 'late' }))
    t.is((await index.counts()).instances, 601)
    t.is((await collect(index.rows(query))).length, 601)
    await iterator.return?.()
    t.is(await databases.openCursors(index, database), 0)

    const controller = new AbortController()
    const reason = new Error('C-CANCEL')
    const aborted = await t.throwsAsync(async () => {
      let seen = 0
      for await (const _row of index.rows(query, controller.signal)) if (++seen === 3) controller.abort(reason)
    })
    t.is(aborted, reason)
    // Who aborts does not wait for the cursor's end: in SQLite the thread does it before this.
    await index.setting('x')
    t.is(await databases.openCursors(index, database), 0)
    await t.throwsAsync(collect(index.rows(query, AbortSignal.abort(reason))), { is: reason })

    await t.throwsAsync(collect(index.rows({ compile: () => ({ sql: 'select nonsense', parameters: [], query: undefined, queryId: undefined }) as never })), { code: 'DICOMTAP_ERR_QR_DATABASE' })
    t.is(await databases.openCursors(index, database), 0)
    t.true(index.isReady)
  })

  test('many cursors at once, each at its own pace', async (t) => {
    const database = await databases.create(t)
    const index = await startIndex(t, database)
    await Promise.all(Array.from({ length: 300 }, (_, number) => index.add(instanceOf({ sop: String(number) }))))
    const query = index.database.selectFrom('instance').select('id').orderBy('id')
    // More than there are connections: the others wait for their turn.
    const totals = await Promise.all(Array.from({ length: 20 }, async (_, number) => {
      let seen = 0
      for await (const _row of index.rows(query)) {
        if (++seen === 10 * number) break
        if (seen % 100 === 0) await index.setting('x')
      }
      return seen
    }))
    t.deepEqual(totals, totals.map((_, number) => (number === 0 ? 300 : 10 * number)))
    t.is(await databases.openCursors(index, database), 0)
  })

  test('an index that is not started, and one that is closed, refuses; what was added before the end is written', async (t) => {
    const database = await databases.create(t)
    const early = openIndex({ database, resolvePath: (path) => path, log: silentLog() })
    await t.throwsAsync(early.add(instanceOf()), { code: 'DICOMTAP_ERR_QR_DATABASE' })
    await early.close()
    const index = await startIndex(t, database)
    const added = Array.from({ length: 20 }, (_, number) => index.add(instanceOf({ sop: String(number) })))
    await Promise.all([index.close(), index.close()])
    t.deepEqual((await Promise.allSettled(added)).filter(({ status }) => status === 'rejected'), [])
    await t.throwsAsync(index.add(instanceOf()), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /closed/ })
    await t.throwsAsync(collect(index.rows(index.database.selectFrom('patient').selectAll())), { code: 'DICOMTAP_ERR_QR_DATABASE' })
    await t.throwsAsync(index.counts(), { code: 'DICOMTAP_ERR_QR_DATABASE' })
    t.is((await (await startIndex(t, database)).counts()).instances, 20)
  })

  test('tables are made once, however many processes start, and those of a newer version are refused', async (t) => {
    const database = await databases.create(t)
    const indexes = await Promise.all(Array.from({ length: 4 }, () => startIndex(t, database)))
    await Promise.all(indexes.map((index, number) => index.add(instanceOf({ sop: String(number) }))))
    const [first] = indexes as [InstanceIndex]
    t.deepEqual(await counts(first), [1, 1, 1, 4])
    const { rows } = await sql<{ name: string }>`select name from dicomtap_migration`.execute(first.database)
    t.deepEqual(rows.map(({ name }) => name), ['0001-instances'])
    await sql`insert into dicomtap_migration (name, timestamp) values ('9999-future', '2099-01-01')`.execute(first.database)
    const error = await t.throwsAsync(startIndex(t, database), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /made by a newer version of dicomtap; update dicomtap/ })
    t.notRegex(error?.message ?? '', /\n/)
  })

  test('tables of each earlier version are brought to this one', async (t) => {
    const names = Object.keys(migrations('sqlite'))
    for (const name of names) {
      const database = await databases.create(t)
      if ('sqlite' in database) await mkdir(dirname(database.sqlite), { recursive: true })
      const earlier = openIndex({ database, resolvePath: (path) => path, log: silentLog() })
      const provider = { getMigrations: () => Promise.resolve(migrations(earlier.kind)) }
      const migrator = new Migrator({ db: earlier.database, provider, migrationTableName: 'dicomtap_migration', migrationLockTableName: 'dicomtap_migration_lock' })
      t.is((await migrator.migrateTo(name)).error, undefined)
      await earlier.close()
      const index = await startIndex(t, database)
      await index.add(instanceOf())
      t.deepEqual(await counts(index), [1, 1, 1, 1])
      const { rows } = await sql<{ name: string }>`select name from dicomtap_migration order by name`.execute(index.database)
      t.deepEqual(rows.map((row) => row.name), names)
    }
  })

  test('two indexes that add, move and remove in the same studies', async (t) => {
    const database = await databases.create(t)
    const pair = await Promise.all([startIndex(t, database), startIndex(t, database)])
    await Promise.all(pair.map(async (index, which) => {
      for (let round = 0; round < 6; round++) {
        const batch = Array.from({ length: 20 }, (_, number) => instanceOf({ patient: `P${(round + which) % 3}`, study: `1.${number % 3}`, sop: `${which}.${round}.${number}`, path: `${which}/${round}/${number}`, modality: which === 0 ? 'CT' : 'MR' }))
        await Promise.all(batch.map((instance) => index.add(instance)))
        await index.remove(batch.filter((_, number) => round % 2 === 0 || number % 2 === 0).map(({ path }) => path))
      }
    }))
    const [index] = pair
    t.is((await index.counts()).instances, 2 * 3 * 10)
    await assertSound(t, index)
    t.deepEqual(pair.map(({ isReady }) => isReady), [true, true])
  })

  test('two processes under load: what either was told is there', async (t) => {
    const database = await databases.create(t)
    const index = await startIndex(t, database)
    const writers = ['one', 'three'].map((name) => runWriter({ database, name, instances: 400, studies: 7, removeEvery: 9 }))
    t.deepEqual(await Promise.all(writers.map(({ exited }) => exited)), [0, 0])
    const expected = writers.flatMap(({ paths }) => [...paths]).sort()
    t.is(expected.length, 2 * (400 - Math.ceil(400 / 9)))
    t.deepEqual((await collect(index.paths())).map(({ path }) => path), expected)
    await assertSound(t, index)
  })

  test('kill -9 in the midst: everything that was acknowledged is there', async (t) => {
    const database = await databases.create(t)
    const index = await startIndex(t, database)
    const writer = runWriter({ database, name: 'killed', instances: 1_000_000, studies: 5 })
    await writer.added(200)
    writer.process.kill('SIGKILL')
    await writer.exited
    const known = new Set((await collect(index.paths())).map(({ path }) => path))
    t.true(writer.paths.size >= 200)
    t.deepEqual([...writer.paths].filter((path) => !known.has(path)), [])
    await index.add(instanceOf({ study: '1.9.0' }))
    await assertSound(t, index)
  })
}
