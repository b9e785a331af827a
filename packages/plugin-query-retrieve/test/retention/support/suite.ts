import type { ExecutionContext, TestFn } from 'ava'
import { type Compilable, CompiledQuery, sql } from 'kysely'
import type { InstanceIndex } from '../../../dist/database/instance-index.js'
import { type DueStudy, dueStudies, storedBytes } from '../../../dist/retention/retention-plan.js'
import { RetentionLease } from '../../../dist/retention/retention-lease.js'
import { GRACE_MS } from '../../../dist/retention/retention-rule.js'
import { instanceOf } from '../../database/support/instances.js'

const DAY_MS = 86_400_000
const NOW_MS = 1_800_000_000_000

/** `study` with instances that were stored so many days ago. */
async function put(index: InstanceIndex, study: string, daysAgo: readonly number[], sizeBytes = 1000): Promise<void> {
  await Promise.all(daysAgo.map((days, i) => index.add(instanceOf({ patient: `P${study}`, study, sop: `${study}.3.${i}`, sizeBytes, storedAtMs: NOW_MS - days * DAY_MS }))))
}

async function due(index: InstanceIndex, days: number | undefined, bytes: number | undefined, isSpared?: (study: Omit<DueStudy, 'why'>) => boolean): Promise<string[]> {
  const found: string[] = []
  const rule = { maximumAgeMs: days === undefined ? undefined : days * DAY_MS, maximumBytes: bytes }
  for await (const { studyInstanceUid, why } of dueStudies(index, rule, { nowMs: NOW_MS, ...(isSpared === undefined ? {} : { isSpared }) })) found.push(`${studyInstanceUid} ${why}`)
  return found
}

/** What is asked of both databases. */
export function retentionSuite(test: TestFn, start: (t: ExecutionContext) => Promise<InstanceIndex>): void {
  test('by age: studies that nothing was added to, the oldest first', async (t) => {
    const index = await start(t)
    await put(index, '1.1', [100, 50])
    await put(index, '1.2', [99, 98])
    await put(index, '1.3', [100, 5])
    await put(index, '1.4', [60])
    t.deepEqual(await due(index, 30, undefined), ['1.2 age', '1.4 age', '1.1 age'])
    t.deepEqual(await due(index, 200, undefined), [])
    await put(index, '1.2', [99, 98, 1])
    t.deepEqual(await due(index, 30, undefined), ['1.4 age', '1.1 age'], 'something was added')
  })

  test('by size: as many as it takes, those that were added to last the longest ago', async (t) => {
    const index = await start(t)
    await put(index, '1.1', [10, 4], 300)
    await put(index, '1.2', [9], 500)
    await put(index, '1.3', [8], 400)
    t.is(await storedBytes(index), 1500)
    t.deepEqual(await due(index, undefined, 1500), [])
    t.deepEqual(await due(index, undefined, 1499), ['1.2 size'])
    t.deepEqual(await due(index, undefined, 999), ['1.2 size', '1.3 size'])
    t.deepEqual(await due(index, undefined, 1), ['1.2 size', '1.3 size', '1.1 size'])
    t.deepEqual(await due(index, undefined, 999, ({ studyInstanceUid }) => studyInstanceUid === '1.2'), ['1.3 size', '1.1 size'], 'what is spared makes no room')
    t.deepEqual(await due(index, 8.5, 1100), ['1.2 age'], 'what goes by age makes room')
    t.deepEqual(await due(index, 8.5, 900), ['1.2 age', '1.3 size'])
    // Replaced by a larger file, and removed.
    await put(index, '1.3', [8], 900)
    await index.remove(['P1.1/1.1.3.0.dcm'])
    t.is(await storedBytes(index), 1700)
  })

  test('nothing that was stored within the hour goes, whatever the rule says', async (t) => {
    const index = await start(t)
    await put(index, '1.1', [(GRACE_MS - 1) / DAY_MS])
    await put(index, '1.2', [(GRACE_MS + 1) / DAY_MS])
    t.deepEqual(await due(index, 0.000_001, undefined), ['1.2 age'])
    t.deepEqual(await due(index, undefined, 1), ['1.2 size'])
  })

  test('many studies of the same moment are told page by page, each once, while they go', async (t) => {
    const index = await start(t)
    for (let i = 0; i < 230; i++) void index.add(instanceOf({ patient: 'P', study: `1.${i}`, sop: `1.${i}.3.1`, storedAtMs: NOW_MS - (i < 215 ? 10 : 9) * DAY_MS }))
    await put(index, '2.1', [8])
    const seen: string[] = []
    for await (const { studyInstanceUid } of dueStudies(index, { maximumAgeMs: DAY_MS, maximumBytes: undefined }, { nowMs: NOW_MS })) {
      seen.push(studyInstanceUid)
      if (seen.length % 10 === 0) await index.remove([`P/${studyInstanceUid}.3.1.dcm`])
    }
    t.is(seen.length, 231)
    t.is(new Set(seen).size, 231)
    t.is(seen.at(-1), '2.1')
  })

  test('an index of the database answers: neither studies nor instances are scanned', async (t) => {
    const index = await start(t)
    const values = Array.from({ length: 3000 }, (_, i) => ({ patient: 1, study_instance_uid: `1.${i}`, study_date: '', study_time: '', accession_number: '', study_id: '', attributes: '{}', last_stored_at_ms: i * 1000, size_bytes: i }))
    await put(index, '9.9', [1])
    const { patient } = await index.database.selectFrom('study').select('patient').executeTakeFirstOrThrow()
    for (let i = 0; i < 3000; i += 500) await index.database.insertInto('study').values(values.slice(i, i + 500).map((row) => ({ ...row, patient }))).execute()
    if (index.kind === 'postgres') await sql`analyze`.execute(index.database)
    const plans: string[] = []
    const { kind, database } = index
    const spying = {
      kind,
      database,
      async *rows(query: Compilable) {
        const { sql: text, parameters } = query.compile()
        const { rows } = await database.executeQuery(CompiledQuery.raw(`${kind === 'sqlite' ? 'explain query plan' : 'explain'} ${text}`, [...parameters]))
        plans.push(rows.map((row) => JSON.stringify(row)).join('\n'))
        yield* index.rows(query)
      },
    } as unknown as InstanceIndex
    const page = dueStudies(spying, { maximumAgeMs: 1000, maximumBytes: undefined }, { nowMs: 1_000_000 + GRACE_MS })
    let count = 0
    for await (const _ of page) count += 1
    t.is(count, 1000)
    for (const plan of plans) t.regex(plan, /study_by_last_stored_at_ms_size_bytes/)
    t.true(plans.length >= 5)
    for (const plan of plans) t.notRegex(plan, /instance/)
    plans.length = 0
    await storedBytes(spying)
    // PostgreSQL may prefer to read a small table.
    if (index.kind === 'sqlite') t.regex(plans[0] ?? '', /COVERING INDEX study_by_last_stored_at_ms_size_bytes/)
  })

  test('one at a time', async (t) => {
    const index = await start(t)
    let nowMs = NOW_MS
    const one = new RetentionLease(index, () => nowMs)
    const two = new RetentionLease(index, () => nowMs)
    t.is((await Promise.all([one.take(), two.take()])).filter(Boolean).length, 1, 'both at once')
    await Promise.all([one.release(), two.release()])
    t.true(await one.take())
    t.false(await two.take())
    nowMs += 4 * 60_000
    t.true(await one.renew(), 'it lasts as long as it is renewed')
    nowMs += 4 * 60_000
    t.false(await two.take())
    nowMs += 60_001
    t.true(await two.take(), 'who says nothing for long has lost it')
    t.false(await one.renew())
    await one.release()
    t.true(await two.renew(), 'and takes nothing back')
    await two.release()
    t.is(await index.setting('retention.lease'), undefined)
    await index.setSetting('retention.lease', 'nonsense')
    t.true(await one.take())
  })
}
