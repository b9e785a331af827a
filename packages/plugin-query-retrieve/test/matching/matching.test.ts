import assert from 'node:assert/strict'
import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { localOffset, shift, toUtc } from '../../dist/matching/moments.js'
import { matchesWildcard } from '../../dist/matching/wildcard.js'
import { isFound } from './ask.ts'

const SEED = 20261121

interface Case {
  readonly stored: DataSet
  readonly keys: DataSet
  readonly found: boolean
  readonly why: string
}

function cases(title: string, rows: readonly Case[], negotiated: Partial<FindNegotiation> = {}, timezone?: string): void {
  for (const { stored, keys, found, why } of rows) {
    test(`${title}: ${why} [${JSON.stringify(stored)} / ${JSON.stringify(keys)}]`, (t) => {
      t.is(isFound(stored, keys, negotiated, timezone), found)
    })
  }
}

const yes = (stored: DataSet, keys: DataSet, why: string): Case => ({ stored, keys, found: true, why })
const no = (stored: DataSet, keys: DataSet, why: string): Case => ({ stored, keys, found: false, why })

cases('single value, PS3.4 C.2.2.2.1', [
  yes({ AccessionNumber: 'A1' }, { AccessionNumber: 'A1' }, 'the same'),
  no({ AccessionNumber: 'A1' }, { AccessionNumber: 'a1' }, 'case counts, except in PN'),
  no({ AccessionNumber: 'A12' }, { AccessionNumber: 'A1' }, 'all of it'),
  yes({ AccessionNumber: 'A1' }, { AccessionNumber: ' A1  ' }, 'padding is no part of the value (PS3.5 6.2)'),
  yes({ StudyDescription: 'Scha\u0308del' }, { StudyDescription: 'Sch\u00e4del' }, 'composed and decomposed are the same letter'),
  no({ StudyDescription: 'Schädel' }, { StudyDescription: 'Schadel' }, 'accents count, except in PN'),
  yes({ StudyInstanceUID: '1.2.3' }, { StudyInstanceUID: '1.2.3\0' }, 'UI is padded with NUL'),
  yes({ InstanceNumber: 7 }, { InstanceNumber: '007' }, 'IS by its meaning (PS3.4 C.2.2.2.1, as of CP-2305 up to the SCP)'),
  yes({ PatientWeight: 70 }, { PatientWeight: '7.0e1' }, 'DS by its meaning'),
  no({ Rows: 512 }, { Rows: 51 }, 'numbers do not begin with each other'),
  yes({ PatientID: 'x'.repeat(60_000) }, { PatientID: 'x'.repeat(60_000) }, 'hostile lengths are cut alike on both sides'),
  no({ PatientID: `${'x'.repeat(300)}a` }, { PatientID: `${'x'.repeat(300)}b` }, 'what has the same beginning is not the same'),
  no({}, { AccessionNumber: 'A1' }, 'what is absent matches nothing'),
])

cases('several values of an attribute, PS3.4 C.2.2.3', [
  yes({ OtherPatientIDs: ['A', 'B'] }, { OtherPatientIDs: 'B' }, 'any of them'),
  no({ OtherPatientIDs: ['A', 'B'] }, { OtherPatientIDs: 'C' }, 'none of them'),
  yes({ ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'] }, { ImageType: 'AX*' }, 'any of them, by wildcard'),
  yes({ OperatorsName: [{ Alphabetic: 'Doe^A' }, { Alphabetic: 'Roe^B' }] }, { OperatorsName: 'roe^b' }, 'any of several names'),
])

cases('list of UID, PS3.4 C.2.2.2.2', [
  yes({}, { SOPInstanceUID: ['9.9', '1.2.3.4.5'] }, 'one of them'),
  no({}, { SOPInstanceUID: ['9.9', '1.2.3.4'] }, 'none of them'),
])

cases('universal, PS3.4 C.2.2.2.3 and C.2.2.2.4 note 1', [
  yes({}, { PatientName: '', StudyDate: null, SOPInstanceUID: '', InstanceNumber: '' }, 'no value matches what is absent too'),
  yes({}, { PatientName: '*', StudyDate: '*', SOPInstanceUID: '*', InstanceNumber: '*', Modality: '**' }, 'so does an asterisk, which SCUs send in any key'),
  yes({}, { PatientName: '*^*' }, 'and a name of asterisks'),
])

cases('wildcards, PS3.4 C.2.2.2.4', [
  yes({ StudyDescription: 'CT Thorax' }, { StudyDescription: 'CT*' }, 'any text'),
  yes({ StudyDescription: 'CT' }, { StudyDescription: 'CT*' }, 'also none'),
  yes({ StudyDescription: 'CT' }, { StudyDescription: '*C*T*' }, 'none between'),
  no({ StudyDescription: 'CT' }, { StudyDescription: 'CT?' }, 'one character, not none'),
  yes({ StudyDescription: 'a😀b' }, { StudyDescription: 'a?b' }, 'a character outside the BMP is one'),
  no({ StudyDescription: 'ct' }, { StudyDescription: 'C*' }, 'case counts'),
  no({ StudyDescription: 'aXb' }, { StudyDescription: 'a.b*' }, 'a dot is a dot'),
  yes({ StudyDescription: '100% [x] a_b \\d' }, { StudyDescription: '*[x] a_b*' }, 'what regular expressions, GLOB and LIKE make something of is text'),
  no({ StudyDescription: 'abc' }, { StudyDescription: '*ab*bc' }, 'parts do not overlap'),
  no({}, { StudyDescription: '?*' }, 'what is absent has no character'),
])

cases('person names, PS3.4 C.2.2.2.1.1', [
  yes({ PatientName: [{ Alphabetic: 'Müller^Jürgen' }] }, { PatientName: 'MULLER^jurgen' }, 'without case and accents'),
  no({ PatientName: [{ Alphabetic: 'Müller^Jürgen' }] }, { PatientName: 'Mueller^Juergen' }, 'ue is not ü: fuzzy matching finds it'),
  yes({ PatientName: [{ Alphabetic: 'Groß^Łukasz' }] }, { PatientName: 'GROSS^lukasz' }, 'letters that have another form'),
  yes({ PatientName: [{ Alphabetic: 'Παπαδόπουλος^Γιώργος' }] }, { PatientName: 'παπαδοπουλοσ^*' }, 'Greek, final sigma'),
  yes({ PatientName: [{ Alphabetic: 'أحمد' }] }, { PatientName: 'احمد' }, 'Arabic, hamza'),
  yes({ PatientName: [{ Phonetic: 'ﾔﾏﾀﾞ^ﾀﾛｳ' }] }, { PatientName: 'ヤマダ^*' }, 'half-width katakana'),
  no({ PatientName: [{ Phonetic: 'がき' }] }, { PatientName: 'かき' }, 'voiced kana are other letters'),
  yes({ PatientName: [{ Alphabetic: 'Doe^Jane^^^' }] }, { PatientName: 'Doe^Jane' }, 'components absent at the end'),
  yes({ PatientName: [{ Alphabetic: 'Doe' }] }, { PatientName: 'Doe^*' }, 'and any in their place'),
  no({ PatientName: [{ Alphabetic: 'Doering' }] }, { PatientName: 'Doe^*' }, 'but the delimiter counts'),
  no({ PatientName: [{ Alphabetic: 'Doe^Jane' }] }, { PatientName: 'Doe' }, 'the family name alone is another name'),
  yes({ PatientName: [{ Alphabetic: 'Doe ^ Jane' }] }, { PatientName: 'Doe^Jane' }, 'spaces around components'),
  yes({ PatientName: [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }] }, { PatientName: '山田^*' }, 'without = any group matches'),
  yes({ PatientName: [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }] }, { PatientName: [{ Alphabetic: 'yamada*', Ideographic: '山田*' }] }, 'with = each given group'),
  no({ PatientName: [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }] }, { PatientName: [{ Alphabetic: 'yamada*', Ideographic: '佐藤*' }] }, 'with = each given group, not one of them'),
  no({ PatientName: [{ Alphabetic: '山田' }] }, { PatientName: [{ Ideographic: '山田' }] }, 'with = its own group'),
  yes({ PatientName: [{ Alphabetic: 'Yamada' }] }, { PatientName: [{ Alphabetic: 'yamada', Ideographic: '*' }] }, 'a group of asterisks is not given'),
  no({}, { PatientName: '?*' }, 'no name'),
])

cases(
  'fuzzy names, PS3.4 C.2.2.2.1.1 negotiated',
  [
    yes({ PatientName: [{ Alphabetic: 'Swayne^Mary' }] }, { PatientName: 'Swain' }, 'by sound: the example of the standard'),
    yes({ PatientName: [{ Alphabetic: 'Smith^Mary' }] }, { PatientName: 'Mary Smith' }, 'in any order: the example of the standard'),
    yes({ PatientName: [{ Alphabetic: 'Smith^Mary' }] }, { PatientName: 'Smith, Mary' }, 'however they are divided'),
    yes({ PatientName: [{ Alphabetic: 'Müller^Jürgen' }] }, { PatientName: 'Mueller' }, 'ue sounds like ü'),
    yes({ PatientName: [{ Alphabetic: 'Müller^Jürgen' }] }, { PatientName: 'mül*' }, 'the beginning of a word'),
    no({ PatientName: [{ Alphabetic: 'Smith^Mary' }] }, { PatientName: 'Smith^Paul' }, 'each word'),
    yes({ PatientName: [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }] }, { PatientName: '太郎' }, 'other scripts by beginning'),
    no({ PatientName: [{ Ideographic: '山田^太郎' }] }, { PatientName: '田' }, 'the beginning, not the middle'),
    no({ PatientName: [{ Alphabetic: 'Smith^Mary' }] }, { PatientName: '*ary^S*' }, 'with other wildcards it is a pattern'),
    yes({ PatientName: [{ Alphabetic: 'Smith^Mary' }] }, { PatientName: '*^*ary' }, 'and matched as one'),
    no({}, { PatientName: 'Smith' }, 'no name'),
  ],
  { fuzzySemanticMatching: true },
)

cases('dates, PS3.4 C.2.2.2.1.3 and C.2.2.2.5.1', [
  yes({ StudyDate: '20240615' }, { StudyDate: '20240615' }, 'one'),
  yes({ StudyDate: '2024.06.15' }, { StudyDate: '20240615' }, 'the form of ACR-NEMA'),
  yes({ StudyDate: '20240615' }, { StudyDate: '20240601-20240615' }, 'until, inclusive'),
  yes({ StudyDate: '20240615' }, { StudyDate: '20240615-' }, 'from, inclusive'),
  yes({ StudyDate: '20240615' }, { StudyDate: '-20240615' }, 'until'),
  yes({ StudyDate: '20240615' }, { StudyDate: '20240101 - 20241231' }, 'with the spaces of the standard'),
  no({ StudyDate: '20240615' }, { StudyDate: '20240616-' }, 'before'),
  no({ StudyDate: '20240615' }, { StudyDate: '-20240614' }, 'after'),
  no({}, { StudyDate: '-20240614' }, 'no date is not an early one'),
  no({ StudyDate: 'unknown' }, { StudyDate: '00010101-99991231' }, 'what is no date is none'),
])

cases('times, PS3.4 C.2.2.2.1.3 and C.2.2.2.5.2', [
  yes({ StudyTime: '223000' }, { StudyTime: '2230' }, 'the example of the standard'),
  yes({ StudyTime: '2230' }, { StudyTime: '223000' }, 'and the other way round'),
  yes({ StudyTime: '22:30:00' }, { StudyTime: '223000.0' }, 'the form of ACR-NEMA'),
  yes({ StudyTime: '223059.9' }, { StudyTime: '2230' }, 'a value is as precise as it is given'),
  yes({ StudyTime: '180059' }, { StudyTime: '1000-1800' }, 'so is the end of a range'),
  no({ StudyTime: '180100' }, { StudyTime: '1000-1800' }, 'after it'),
  yes({ StudyTime: '000000' }, { StudyTime: '-1200' }, 'from midnight'),
  yes({ StudyTime: '235959.999999' }, { StudyTime: '12-' }, 'until midnight'),
  no({ StudyDate: '20240615', StudyTime: '0900' }, { StudyDate: '20240614-20240616', StudyTime: '1000-1800' }, 'each day by itself, unless negotiated'),
])

cases(
  'date and time combined, PS3.4 C.2.2.2.5.4 negotiated',
  [
    yes({ StudyDate: '20060706', StudyTime: '0300' }, { StudyDate: '20060705-20060707', StudyTime: '1000-1800' }, 'the example of the standard: a night between'),
    no({ StudyDate: '20060705', StudyTime: '0959' }, { StudyDate: '20060705-20060707', StudyTime: '1000-1800' }, 'before the first time on the first date'),
    no({ StudyDate: '20060707', StudyTime: '1801' }, { StudyDate: '20060705-20060707', StudyTime: '1000-1800' }, 'after the last time on the last date'),
    yes({ StudyDate: '20060706', StudyTime: '0100' }, { StudyDate: '20060705-20060706', StudyTime: '2200-0600' }, 'over midnight: the times alone run backwards'),
    yes({ StudyDate: '20060708', StudyTime: '0100' }, { StudyDate: '20060705-', StudyTime: '2200-' }, 'open end'),
    no({ StudyDate: '20060705', StudyTime: '2100' }, { StudyDate: '20060705-', StudyTime: '2200-' }, 'open end, too early'),
    yes({ StudyDate: '20060705' }, { StudyDate: '20060705-20060707', StudyTime: '1000-1800' }, 'without time: any moment of its day'),
    no({ StudyDate: '20060708' }, { StudyDate: '20060705-20060707', StudyTime: '1000-1800' }, 'without time: another day'),
    no({ StudyTime: '1200' }, { StudyDate: '20060705-20060707', StudyTime: '1000-1800' }, 'without date'),
    no({ StudyDate: '20060706', StudyTime: '0900' }, { StudyDate: '20060705-20060707', StudyTime: '1000-' }, 'another form: each by itself'),
    no({ StudyDate: '20060706', StudyTime: '0900' }, { StudyDate: '20060706', StudyTime: '1000-1800' }, 'a single date is no range'),
  ],
  { dateTimeMatching: true },
)

cases('date-times, PS3.4 C.2.2.2.1.3 and C.2.2.2.5.3', [
  yes({ AcquisitionDateTime: '19980128103000' }, { AcquisitionDateTime: '19980128103000.0000' }, 'the example of the standard'),
  yes({ AcquisitionDateTime: '19980128073000-0300' }, { AcquisitionDateTime: '19980128103000+0000' }, 'by the moment it is'),
  yes({ AcquisitionDateTime: '19980128' }, { AcquisitionDateTime: '1998' }, 'as precise as it is given'),
  yes({ AcquisitionDateTime: '20240615120000+0200' }, { AcquisitionDateTime: '20240615095900+0000-20240615100100+0000' }, 'range with offsets'),
  yes({ AcquisitionDateTime: '20240615120000+0200' }, { AcquisitionDateTime: '20240615045900-0500-20240615050100-0500' }, 'range with negative offsets'),
  yes({ AcquisitionDateTime: '20240615120000' }, { AcquisitionDateTime: '20240615-' }, 'open end'),
  no({ AcquisitionDateTime: '20240615120000' }, { AcquisitionDateTime: '-20240614' }, 'open beginning'),
  yes({ AcquisitionDateTime: '20240615120000-0500' }, { AcquisitionDateTime: '20240615120000-0500' }, 'no range can be made of it: a value with a negative offset'),
  yes({ AcquisitionDateTime: '20240615120000', TimezoneOffsetFromUTC: '+0200' }, { AcquisitionDateTime: '20240615100000+0000' }, 'the offset of the instance'),
])

cases(
  'time zone of the query, PS3.4 C.2.2.2.1.3 negotiated',
  [
    yes({ StudyDate: '20240615', StudyTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { StudyDate: '20240616', StudyTime: '0130', TimezoneOffsetFromUTC: '+0200' }, 'the day after there'),
    no({ StudyDate: '20240615', StudyTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { StudyDate: '20240615', TimezoneOffsetFromUTC: '+0200' }, 'not the day here'),
    yes({ StudyDate: '20240301', StudyTime: '0030', TimezoneOffsetFromUTC: '+0100' }, { StudyDate: '20240229', TimezoneOffsetFromUTC: '+0000' }, 'leap day'),
    yes({ StudyDate: '19991231', StudyTime: '2330' }, { StudyDate: '20000101', StudyTime: '0030', TimezoneOffsetFromUTC: '+0200' }, 'the zone of the options, +0100'),
    yes({ StudyDate: '20240615', TimezoneOffsetFromUTC: '+0000' }, { StudyDate: '20240615', TimezoneOffsetFromUTC: '+1400' }, 'a date without time stays'),
    yes({ StudyTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { StudyTime: '0130', TimezoneOffsetFromUTC: '+0200' }, 'a time without date goes around'),
    yes({ PatientBirthDate: '19700101', PatientBirthTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { PatientBirthDate: '19700101', TimezoneOffsetFromUTC: '+0200' }, 'birthdays stay'),
    yes({ AcquisitionDateTime: '20240615120000', TimezoneOffsetFromUTC: '+0000' }, { AcquisitionDateTime: '20240615140000', TimezoneOffsetFromUTC: '+0200' }, 'DT'),
    yes({ StudyDate: '20240615', StudyTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { StudyDate: '20240616-20240617', StudyTime: '0100-0200', TimezoneOffsetFromUTC: '+0200' }, 'combined'),
    yes({ StudyDate: '20240615', StudyTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { StudyDate: '20240615', StudyTime: '2330' }, 'a query without zone: as it is written'),
  ],
  { timezoneQueryAdjustment: true, dateTimeMatching: true },
  '+0100',
)

cases('time zone, not negotiated', [
  yes({ StudyDate: '20240615', StudyTime: '2330', TimezoneOffsetFromUTC: '+0000' }, { StudyDate: '20240615', TimezoneOffsetFromUTC: '+0200' }, 'as it is written'),
])

const REQUEST = { RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S1', RequestedProcedureID: 'R1' }, { ScheduledProcedureStepID: 'S2', RequestedProcedureID: 'R2' }] }
cases('sequences, PS3.4 C.2.2.2.6', [
  yes(REQUEST, { RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S2' }] }, 'one of the items'),
  no(REQUEST, { RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S3' }] }, 'none of the items'),
  no(REQUEST, { RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S1', RequestedProcedureID: 'R2' }] }, 'all keys in one item'),
  yes(REQUEST, { RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S?', RequestedProcedureID: '' }] }, 'wildcards, universal'),
  yes({}, { RequestAttributesSequence: [{}] }, 'an empty item is universal'),
  yes({}, { RequestAttributesSequence: [] }, 'no item is universal'),
  yes({}, { RequestAttributesSequence: [{ ScheduledProcedureStepID: '' }] }, 'universal keys ask for no item'),
  no({}, { RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S1' }] }, 'absent'),
  yes(
    { ProcedureCodeSequence: [{ CodeValue: 'A', EquivalentCodeSequence: [{ CodeValue: 'X' }, { CodeValue: 'Y' }] }] },
    { ProcedureCodeSequence: [{ EquivalentCodeSequence: [{ CodeValue: 'Y' }] }] },
    'sequences in sequences',
  ),
  no(
    { ProcedureCodeSequence: [{ CodeValue: 'B', EquivalentCodeSequence: [{ CodeValue: 'X' }] }, { CodeValue: 'A' }] },
    { ProcedureCodeSequence: [{ CodeValue: 'A', EquivalentCodeSequence: [{ CodeValue: 'X' }] }] },
    'within one outer item',
  ),
  yes(
    { ReferencedStudySequence: [{ ReferencedSOPInstanceUID: '1.2' }] },
    { ReferencedStudySequence: [{ ReferencedSOPInstanceUID: ['1.1', '1.2'] }] },
    'list of UID in items',
  ),
])

cases(
  'empty values, PS3.4 C.2.2.2.7 negotiated',
  [
    yes({}, { AccessionNumber: '""' }, 'absent'),
    yes({ AccessionNumber: '  ' }, { AccessionNumber: '""' }, 'only padding'),
    no({ AccessionNumber: 'A' }, { AccessionNumber: '""' }, 'has a value'),
    yes({}, { StudyDate: '""', PatientName: '""' }, 'dates and names too'),
    no({ PatientName: [{ Ideographic: '山田' }] }, { PatientName: '""' }, 'a name of one group'),
  ],
  { emptyValueMatching: true },
)
cases('empty values, not negotiated', [no({}, { AccessionNumber: '""' }, 'two quotation marks are text'), yes({ AccessionNumber: '""' }, { AccessionNumber: '""' }, 'two quotation marks are text')])

cases(
  'multiple values, PS3.4 C.2.2.2.8 negotiated',
  [
    yes({ OtherPatientIDs: ['A', 'B', 'C'] }, { OtherPatientIDs: ['C', 'A'] }, 'each of the key, in any order'),
    no({ OtherPatientIDs: ['A', 'B'] }, { OtherPatientIDs: ['A', 'C'] }, 'each, not any'),
    yes({ OperatorsName: [{ Alphabetic: 'Doe' }, { Alphabetic: 'Roe' }] }, { OperatorsName: [{ Alphabetic: 'ROE' }, { Alphabetic: 'DOE' }] }, 'names'),
    yes({}, { SOPInstanceUID: ['9.9', '1.2.3.4.5'] }, 'UIDs are a list all the same'),
    yes({ Modality: 'CT' }, { Modality: ['CT', 'MR'] }, 'an attribute of one value: any'),
  ],
  { multipleValueMatching: true },
)

// Properties

function holds<T>(t: ExecutionContext, arbitrary: fc.Arbitrary<T>, numRuns: number, property: (value: T) => void): void {
  t.notThrows(() => fc.assert(fc.property(arbitrary, property), { numRuns, seed: SEED }))
}

test('a value is found by itself as a key', (t) => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }).filter((value) => !/[\\*?\p{Cc}"]/u.test(value) && value.trim() !== '')
  holds(t, fc.tuple(text), 150, ([value]) => {
    assert(isFound({ AccessionNumber: value, StudyDescription: value }, { AccessionNumber: value, StudyDescription: value }))
  })
})

test('a name is found by itself as a key, in any case, by its beginning, and by its words in any order', (t) => {
  const component = fc.string({ unit: fc.constantFrom(...'aÄßéœİıŁñΣςώЖй山田ヤﾔ゙がاأ한국 -\''), maxLength: 12 })
  const name = fc.array(component, { minLength: 1, maxLength: 5 }).map((components) => components.join('^')).filter((value) => /[^^ ]/.test(value))
  holds(t, fc.tuple(name), 150, ([value]) => {
    const stored = { PatientName: [{ Alphabetic: value }] }
    assert(isFound(stored, { PatientName: value }))
    assert(isFound(stored, { PatientName: value.toLowerCase() }))
    assert(isFound(stored, { PatientName: `${value.trimEnd()}*` }))
    assert(isFound(stored, { PatientName: value.split(/[\s^-]+/).filter((word) => word !== '').reverse().join(' ') || value }, { fuzzySemanticMatching: true }))
  })
})

/** The meaning of wildcards, slow but plain: by all ways to divide the text. */
function reference(pattern: readonly string[], text: readonly string[]): boolean {
  const reached = Array.from({ length: pattern.length + 1 }, () => Array.from({ length: text.length + 1 }, () => false))
  for (let p = pattern.length; p >= 0; p--) {
    for (let t = text.length; t >= 0; t--) {
      const row = reached[p] as boolean[]
      if (p === pattern.length) row[t] = t === text.length
      else if (pattern[p] === '*') row[t] = reached[p + 1]?.[t] === true || row[t + 1] === true
      else row[t] = t < text.length && (pattern[p] === '?' || pattern[p] === text[t]) && reached[p + 1]?.[t + 1] === true
    }
  }
  return reached[0]?.[0] === true
}

test('wildcards mean what they should for any pattern and text', (t) => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '😀'), maxLength: 12 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?', '😀'), maxLength: 10 })
  holds(t, fc.tuple(pattern, letters), 2000, ([one, text]) => {
    assert.equal(matchesWildcard(one, text), reference([...one], [...text]))
  })
})

test('no pattern takes long: parts are looked for once each', (t) => {
  // With backtracking this would never end.
  const text = 'a'.repeat(65_536)
  t.false(matchesWildcard(`${'*a'.repeat(127)}*b`, text))
  t.false(matchesWildcard(`${'*a?'.repeat(80)}*b*`, text))
  t.true(matchesWildcard(`${'*a'.repeat(127)}*`, text))
})

test('moments are moved over months, years and leap days', (t) => {
  t.is(shift('20231231233000.000001', 60), '20240101003000.000001')
  t.is(shift('20240228233000.000000', 60), '20240229003000.000000')
  t.is(shift('20230228233000.000000', 60), '20230301003000.000000')
  t.is(shift('00990101000000.000000', -1), '00981231235900.000000', 'years below 100 are not of the 20th century')
  t.is(shift('99991231233000.000000', 60), '99991231233000.000000', 'there is nothing behind')
  t.is(toUtc('20240615120000.000000+0530', () => 0), '20240615063000.000000')
  t.is(toUtc('20240615120000.000000', () => -300), '20240615170000.000000')
  t.is(localOffset('-0330')('20240615120000.000000'), -210)
  const ofMachine = localOffset(undefined)('20240615120000.000000')
  t.is(ofMachine, -new Date(2024, 5, 15, 12).getTimezoneOffset())
})
