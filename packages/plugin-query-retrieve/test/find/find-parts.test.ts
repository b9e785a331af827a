import test from 'ava'
import fc from 'fast-check'
import { sql } from 'kysely'
import type { SqlBool } from 'kysely'
import Database from 'libsql'
import type { Matching } from '../../dist/model/query.js'
import { answerOf } from '../../dist/find/answer.js'
import { columnCondition } from '../../dist/database/conditions.js'
import { shiftedDate } from '../../dist/find/dates.js'
import { behindPrefix, globPattern, likePattern, literalPrefix } from '../../dist/database/patterns.js'
import { attributesColumn, planFind } from '../../dist/find/plan.js'
import type { FindRow } from '../../dist/find/plan.js'
import { RowReader } from '../../dist/find/row-attributes.js'
import { inZoneOfQuery, offsetText } from '../../dist/find/time-zone.js'
import { COMPILERS } from './support/compilers.js'
import { attribute, catalogue, key, queryOf } from './support/queries.js'

const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20261121)
const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)

/** Text of what means something to one of the databases, to DICOM, or to Unicode. */
const trickyText = fc.array(fc.constantFrom('a', 'b', '[', ']', '^', '-', '%', '_', '\\', "'", '"', ';', '!', '\0', ' ', 'ä', '山', '🩻', '\uffff'), { maxLength: 6 }).map((parts) => parts.join(''))
// A bound is a date or a number: with NUL there is no such value.
const trickyBound = trickyText.map((text) => text.replaceAll('\0', ''))
const trickyPattern = fc.array(fc.oneof({ weight: 3, arbitrary: trickyText }, { weight: 1, arbitrary: fc.constantFrom('*', '?', '**', '?*') }), { maxLength: 4 }).map((parts) => parts.join(''))

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** Matching as PS3.4 C.2.2.2 has it, one character after the other. */
function isLike(value: string, pattern: string): boolean {
  const [text, wild] = [[...value], [...pattern]]
  const reach = (at: number, from: number): boolean => {
    if (from === wild.length) return at === text.length
    if (wild[from] === '*') return reach(at, from + 1) || (at < text.length && reach(at + 1, from))
    return at < text.length && (wild[from] === '?' || wild[from] === text[at]) && reach(at + 1, from + 1)
  }
  return reach(0, 0)
}

function expected(value: string, matching: Matching): boolean {
  switch (matching.kind) {
    case 'single':
      return value === matching.value
    case 'list':
      return matching.values.includes(value)
    case 'wildcard':
      return isLike(value, matching.pattern)
    case 'range':
      return value !== '' && byCodePoint(value, matching.from ?? '') >= 0 && (matching.to === undefined || byCodePoint(value, matching.to) <= 0)
    case 'empty':
      return value === ''
    default:
      return true
  }
}

const matchings: fc.Arbitrary<Matching> = fc.oneof(
  trickyText.map((value) => ({ kind: 'single' as const, value })),
  fc.array(trickyText, { maxLength: 5 }).map((values) => ({ kind: 'list' as const, values })),
  fc.array(trickyText, { minLength: 201, maxLength: 210 }).map((values) => ({ kind: 'list' as const, values })),
  trickyPattern.map((pattern) => ({ kind: 'wildcard' as const, pattern })),
  fc.tuple(fc.option(trickyBound, { nil: undefined }), fc.option(trickyBound, { nil: undefined })).map(([from, to]) => ({ kind: 'range' as const, from, to })),
  fc.constant({ kind: 'empty' as const }),
)

test('SQLite finds what matches and nothing else, whatever the values are made of', (t) => {
  const database = new Database(':memory:')
  database.exec('create table value (text text not null)')
  const insert = database.prepare('insert into value values (?)')
  const clear = database.prepare('delete from value')
  fc.assert(
    fc.property(fc.array(trickyText.map((text) => text.replaceAll('\0', '')), { minLength: 1, maxLength: 12 }), matchings, (values, matching) => {
      clear.run()
      for (const value of values) insert.run(value)
      const { condition, isExact } = columnCondition(sql.ref<string>('value.text'), matching, 'sqlite')
      const { sql: text, parameters } = sql`select text from value where ${condition ?? sql<SqlBool>`1 = 1`}`.compile(COMPILERS.sqlite.database)
      const found = (database.prepare(text).all(...parameters) as { text: string }[]).map((row) => row.text).sort()
      t.true(isExact)
      t.deepEqual(found, values.filter((value) => expected(value, matching)).sort(), JSON.stringify(matching))
    }),
    { numRuns: runs, seed },
  )
  database.close()
})

test('values are parameters: the statement is the same whatever they say', (t) => {
  for (const compiler of Object.values(COMPILERS)) {
    const statement = (value: string) =>
      planFind(
        queryOf({
          keys: [
            key('PatientID', { kind: 'single', value }),
            key('StudyID', { kind: 'wildcard', pattern: `${value}*x` }),
            key('PatientName', { kind: 'name', any: `${value}*` }),
            key('StudyDescription', { kind: 'list', values: [value, value] }),
            key('AccessionNumber', { kind: 'range', from: value, to: value }),
          ],
          derivedKeys: [{ name: 'ModalitiesInStudy', matching: { kind: 'single', value } }],
          returned: [attribute('StudyInstanceUID')],
        }),
        compiler,
      ).query.compile()
    const plain = statement('abc')
    for (const value of ["'; drop table study; --", '%_\\', '" or 1=1', '$1', '[a-z]', '-- {}']) {
      t.is(statement(value).sql, plain.sql)
      t.is(statement(value).parameters.length, plain.parameters.length)
    }
  }
})

test('rows are found by what few of them have, also while SQLite has no statistics', (t) => {
  const where = (parts: Parameters<typeof queryOf>[0]) => planFind(queryOf({ level: 'SERIES', ...parts }), COMPILERS.sqlite).query.compile().sql.replace(/^.* where /, '')
  const modality = key('Modality', { kind: 'single', value: 'CT' })
  const date = key('StudyDate', { kind: 'range', from: '20240101', to: '20241231' })
  t.is(where({ keys: [modality] }), '"series"."modality" = ?')
  t.is(where({ keys: [modality, date] }), '+"series"."modality" = ? and ("study"."study_date" >= ? and "study"."study_date" <= ?)')
  t.is(
    where({ keys: [modality, date, key('PatientID', { kind: 'single', value: '1' })] }),
    '+"series"."modality" = ? and (+"study"."study_date" >= ? and +"study"."study_date" <= ?) and "patient"."patient_id" = ?',
  )
  t.regex(where({ derivedKeys: [{ name: 'ModalitiesInStudy', matching: { kind: 'single', value: 'CT' } }] }), /\+"series"."modality" = \?/)
})

test('only the tables and columns that are needed are read', (t) => {
  const statement = (parts: Parameters<typeof queryOf>[0]) => planFind(queryOf(parts), COMPILERS.sqlite).query.compile().sql
  t.is(
    statement({ keys: [key('StudyInstanceUID', { kind: 'single', value: '1' })], returned: [attribute('StudyInstanceUID')] }),
    'select "study"."study_instance_uid" as "StudyInstanceUID" from "study" where "study"."study_instance_uid" = ?',
  )
  t.is(
    statement({ level: 'IMAGE', keys: [key('SeriesInstanceUID', { kind: 'single', value: '1' })], returned: [attribute('SOPInstanceUID'), attribute('InstanceNumber')] }),
    'select "instance"."sop_instance_uid" as "SOPInstanceUID", "instance"."attributes" as "instance_attributes" from "instance" inner join "series" on "series"."id" = "instance"."series" where "series"."series_instance_uid" = ?',
  )
  t.is(statement({ level: 'PATIENT' }), 'select 1 as found from "patient"')
  t.regex(statement({ derived: ['NumberOfStudyRelatedSeries'] }), /\(select count\(\*\) from "series" where "series"."study" = "study"."id"\)/)
  t.notRegex(statement({ returned: [attribute('StudyDate')] }), /order by|count|exists/)
})

test('patterns: everything but * and ? stands for itself', (t) => {
  t.is(globPattern('a[b]**c?'), 'a[[]b]*c?')
  t.is(likePattern(String.raw`a%b_c\d*e?`), String.raw`a\%b\_c\\d%e_`)
  t.is(literalPrefix('abc'), 'abc')
  t.is(literalPrefix('ab?c*'), 'ab')
  t.is(literalPrefix('*'), '')
})

test('what starts with a prefix is before what is behind it', (t) => {
  t.is(behindPrefix('ab'), 'ac')
  t.is(behindPrefix('a\u{10ffff}'), 'b')
  t.is(behindPrefix('\u{10ffff}'), undefined)
  // The code points after U+D7FF that are no characters.
  t.is(behindPrefix('\ud7ff'), '\ue000')
  fc.assert(
    fc.property(trickyText.filter((text) => text !== ''), trickyText, (prefix, rest) => {
      const behind = behindPrefix(prefix) as string
      t.true(byCodePoint(prefix + rest, behind) < 0)
      t.true(byCodePoint(prefix, behind) < 0)
    }),
    { numRuns: runs, seed },
  )
})

test('days are counted by the calendar', (t) => {
  t.is(shiftedDate('20240228', 2), '20240301')
  t.is(shiftedDate('00010101', -1), '00001231')
  t.is(shiftedDate('99991231', 1), undefined)
  t.is(shiftedDate('2024', 1), undefined)
})

test('a zone of the query: dates are let through wider, times not decided in SQL', (t) => {
  const { query, undecided } = planFind(
    queryOf({
      timezoneOffsetMinutes: 60,
      keys: [key('StudyDate', { kind: 'range', from: '20240310', to: '20240310' }), key('StudyTime', { kind: 'single', value: '100000.000000' })],
    }),
    COMPILERS.sqlite,
  )
  t.deepEqual(query.compile().parameters, ['20240305', '20240315'])
  t.deepEqual(undecided.keys.map((one) => one.attribute.name), ['StudyDate', 'StudyTime'])
})

test('date and time move together, in another zone', (t) => {
  const moved = (name: string, vr: string, stored: Readonly<Record<string, unknown>>, shiftMinutes: number) => inZoneOfQuery(name, vr, { ...stored }, () => 0, shiftMinutes)
  const stored = {
    StudyDate: '20240229',
    StudyTime: '2330',
    SeriesTime: '233059.25',
    PatientBirthDate: '19700101',
    PatientBirthTime: '2330',
    ContentDate: '20240229',
    AcquisitionDateTime: '20231231233000.5',
  }
  t.is(moved('StudyDate', 'DA', stored, 60), '20240301')
  t.is(moved('StudyTime', 'TM', stored, 60), '0030')
  t.is(moved('SeriesTime', 'TM', stored, 60), '003059.25')
  t.is(moved('PatientBirthDate', 'DA', stored, 60), '19700101')
  t.is(moved('PatientBirthTime', 'TM', stored, 60), '2330')
  // Without a time nobody knows which day it is elsewhere.
  t.is(moved('ContentDate', 'DA', stored, 60), '20240229')
  t.is(moved('AcquisitionDateTime', 'DT', stored, 60), '20240101003000.5')
  t.is(moved('X', 'DT', { X: '20231231233000+0200' }, 60), '20231231233000+0200')
  t.is(moved('X', 'DT', { X: '202312' }, 60), '202312')
  // Half hours, and a time that has hours only.
  t.is(moved('StudyDate', 'DA', { StudyDate: '20240301', StudyTime: '08' }, -510), '20240229')
  t.is(moved('StudyTime', 'TM', { StudyDate: '20240301', StudyTime: '08' }, -510), '2330')
  t.is(moved('StudyTime', 'TM', { StudyDate: '20240301', StudyTime: '08' }, -60), '07')
  t.is(moved('StudyTime', 'TM', { StudyTime: 'noon' }, -60), 'noon')
  // Each moment has the offset that held then.
  t.is(inZoneOfQuery('StudyTime', 'TM', { StudyDate: '20240701', StudyTime: '1200' }, (moment) => (moment.slice(4, 6) === '07' ? 120 : 60), 0), '1000')
  t.is(offsetText(-210), '-0330')
  t.is(offsetText(0), '+0000')
})

const OPTIONS = { retrieveAeTitle: 'ARCHIVE', timezone: () => 0, privateCreators: {} }

function answer(parts: Parameters<typeof queryOf>[0], attributes: Readonly<Record<string, unknown>>, row: FindRow = {}) {
  const full = { [attributesColumn('STUDY')]: JSON.stringify(attributes), ...row }
  return answerOf(full, new RowReader().read(full), queryOf(parts), OPTIONS)
}

test('an answer has what was asked for, without a value where there is none', (t) => {
  t.deepEqual(
    answer(
      {
        returned: [attribute('StudyInstanceUID'), attribute('StudyDate'), attribute('StudyID'), attribute('PatientName')],
        derived: ['RetrieveAETitle', 'InstanceAvailability', 'ModalitiesInStudy', 'NumberOfStudyRelatedInstances'],
      },
      { StudyDate: '20240102', StudyDescription: 'Nobody asked' },
      { StudyInstanceUID: '1.2.3', ModalitiesInStudy: '["SR","CT",""]', NumberOfStudyRelatedInstances: '12' },
    ),
    {
      QueryRetrieveLevel: 'STUDY',
      StudyInstanceUID: '1.2.3',
      StudyDate: '20240102',
      StudyID: null,
      PatientName: null,
      RetrieveAETitle: 'ARCHIVE',
      InstanceAvailability: 'ONLINE',
      ModalitiesInStudy: ['CT', 'SR'],
      NumberOfStudyRelatedInstances: 12,
    },
  )
})

test('of a sequence the asked-for attributes of its items are returned; a private attribute brings its VR', (t) => {
  const sequence = attribute('ProcedureCodeSequence')
  const stored = { ProcedureCodeSequence: [{ CodeValue: 'A', CodeMeaning: 'Head' }, { CodeMeaning: 'Neck' }] }
  t.deepEqual(answer({ returned: [sequence], itemAttributes: new Map([[sequence, ['CodeValue']]]) }, stored)['ProcedureCodeSequence'], [{ CodeValue: 'A' }, { CodeValue: null }])
  t.deepEqual(answer({ returned: [sequence] }, stored)['ProcedureCodeSequence'], stored.ProcedureCodeSequence)
  t.is(answer({ returned: [sequence] }, {})['ProcedureCodeSequence'], null)
  // Of the items those that match (PS3.4 C.2.2.2.6).
  const codeValue = catalogue.itemOf(sequence, 'CodeValue')
  const keys = codeValue === undefined ? [] : [{ attribute: sequence, matching: { kind: 'sequence' as const, keys: [{ attribute: codeValue, matching: { kind: 'single' as const, value: 'A' } }] } }]
  t.deepEqual(answer({ returned: [sequence], keys }, stored)['ProcedureCodeSequence'], [{ CodeValue: 'A', CodeMeaning: 'Head' }])
  const row = { [attributesColumn('IMAGE')]: '{"00091001":"x","_vrMap":{"00091001":"LO"}}' }
  const { _vrMap, '00091001': value } = answer({ level: 'IMAGE', returned: [attribute('00091001')] }, {}, row)
  t.deepEqual([value, _vrMap], ['x', { '00091001': 'LO' }])
  t.deepEqual(answer({ level: 'IMAGE', returned: [attribute('00091001')] }, {}, {})['_vrMap'], { '00091001': 'LO' })
})

test('the character set of an answer: none, that of the query, that of the instance, UTF-8', (t) => {
  const described = (StudyDescription: string, characterSets: readonly string[], SpecificCharacterSet?: unknown) =>
    answer({ characterSets, returned: [attribute('StudyDescription')] }, { StudyDescription, SpecificCharacterSet })['SpecificCharacterSet']
  t.is(described('Thorax', ['ISO_IR 100'], 'ISO_IR 192'), undefined)
  t.deepEqual(described('Schädel', ['ISO_IR 100'], 'ISO_IR 192'), ['ISO_IR 100'])
  t.deepEqual(described('Κεφάλι', ['ISO_IR 100'], 'ISO_IR 126'), ['ISO_IR 126'])
  t.deepEqual(described('頭部', [], ['', 'ISO 2022 IR 87']), ['', 'ISO 2022 IR 87'])
  t.deepEqual(described('頭部 Κεφάλι', ['ISO_IR 100'], ['', 'ISO 2022 IR 149']), ['ISO_IR 192'])
  t.deepEqual(described('Schädel', [], undefined), ['ISO_IR 192'])
})

test('dates and times of an answer are those of the zone of the query', (t) => {
  t.deepEqual(
    answer(
      { timezoneOffsetMinutes: 120, returned: [attribute('StudyDate'), attribute('StudyTime')] },
      { StudyDate: '20240102', StudyTime: '233000', TimezoneOffsetFromUTC: '-0100' },
    ),
    { QueryRetrieveLevel: 'STUDY', StudyDate: '20240103', StudyTime: '023000', TimezoneOffsetFromUTC: '+0200', RetrieveAETitle: 'ARCHIVE' },
  )
})
