import test from 'ava'
import fc from 'fast-check'
import { MAXIMUM_COLUMN_CHARACTERS, MAXIMUM_TEXT_CHARACTERS, boundText, columnText } from '../../dist/text/bounded.js'
import { parseDate, parseDateTime, parseOffset, parseTime } from '../../dist/text/date-time.js'
import { foldText } from '../../dist/text/fold.js'
import { foldGroup, foldName, namePatterns } from '../../dist/text/names.js'
import { nameTokens, nameWords, soundsOf } from '../../dist/text/sounds.js'
import { normalizeValue, normalizedValues } from '../../dist/text/values.js'

const table = (title: string, act: (text: string) => unknown, rows: readonly (readonly [string, unknown])[]): void => {
  test(title, (t) => {
    for (const [given, expected] of rows) t.deepEqual(act(given), expected, given)
  })
}

table('letters are folded', foldText, [
  ['Müller', 'muller'],
  ['ÅÄÖ Ñ Ç é', 'aao n c e'],
  ['STRASSE straße STRAẞE', 'strasse strasse strasse'],
  ['Łódź Øre Đorđe Þór Æsir Œuvre', 'lodz ore dorde thor aesir oeuvre'],
  ['İstanbul ISPARTA ırmak', 'istanbul isparta irmak'],
  ['ΓΕΏΡΓΙΟΣ Γεώργιος', 'γεωργιοσ γεωργιοσ'],
  ['Ёлкин Йод', 'елкин иод'],
  ['أَحْمَد', 'احمد'],
  ['שָׁלוֹם', 'שלום'],
  ['Ｄｏｅ　Ｊ', 'doe j'],
  ['ﾔﾏﾀﾞ', 'ヤマダ'],
  ['ガギ がぎ', 'ガギ がぎ'],
  ['김희중', '김희중'],
  ['ที่', 'ที่'],
  ['山田', '山田'],
])

table('groups of names', foldGroup, [
  ['Doe^Jane^^^', 'doe^jane'],
  ['Doe^^Jane', 'doe^^jane'],
  [' Doe  Smith ^ Jane ', 'doe smith^jane'],
  ['^^^^', ''],
  ['', ''],
  ['Doe^*', 'doe^*'],
])

table('patterns of names', namePatterns, [
  ['doe', ['doe']],
  ['doe*', ['doe*']],
  ['doe^*', ['doe^*', 'doe']],
  ['doe^*^*', ['doe^*^*', 'doe^*', 'doe']],
  ['doe^^*', ['doe^^*', 'doe']],
  ['*^*', ['*^*', '*']],
  ['^*', ['^*']],
])

test('names as text and as objects are the same', (t) => {
  const name = { alphabetic: 'yamada^tarou', ideographic: '山田^太郎', phonetic: 'やまだ^たろう' }
  t.deepEqual(foldName('Yamada^Tarou=山田^太郎=やまだ^たろう'), name)
  t.deepEqual(foldName({ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }), name)
  t.deepEqual(foldName('=山田'), { alphabetic: '', ideographic: '山田', phonetic: '' })
  for (const nothing of [null, undefined, 7, {}, { Alphabetic: 7 }]) t.deepEqual(foldName(nothing), { alphabetic: '', ideographic: '', phonetic: '' })
})

test('words of names, and how they sound', (t) => {
  t.deepEqual(nameWords("o'brien^mary-jane^dr. med."), ["o'brien", 'mary', 'jane', 'dr', 'med'])
  t.deepEqual(nameWords('ヤマダ・タロウ'), ['ヤマダ', 'タロウ'])
  t.deepEqual(soundsOf('smith'), ['SM0', 'XMT'], 'the example of the algorithm: Smith and Schmidt')
  t.true(soundsOf('schmidt').some((sound) => soundsOf('smith').includes(sound)))
  t.deepEqual(soundsOf('山田'), ['山田'])
  t.deepEqual(soundsOf('hh'), ['hh'], 'no sound: the word itself')
  t.deepEqual(nameTokens(foldName('Meyer=山田')), [
    { token: 'meyer', code: 'MR' },
    { token: '山田', code: '山田' },
  ])
  t.true(nameTokens(foldName(Array.from({ length: 500 }, (_, index) => `n${index}`).join(' '))).length <= 64)
})

table('DA, PS3.5 6.2', parseDate, [
  ['20240229', '20240229'],
  ['2024.02.29', '20240229'],
  ['20240231', '20240231'],
  ['2024.0229', undefined],
  ['20240001', undefined],
  ['20241301', undefined],
  ['20240100', undefined],
  ['20240132', undefined],
  ['2024', undefined],
  ['20240101x', undefined],
  ['٢٠٢٤٠١٠١', undefined],
])

table('TM, PS3.5 6.2', (text) => parseTime(text)?.from, [
  ['10', '100000.000000'],
  ['1030', '103000.000000'],
  ['103015', '103015.000000'],
  ['103015.5', '103015.500000'],
  ['103015.123456', '103015.123456'],
  ['10:30', '103000.000000'],
  ['10:30:15', '103015.000000'],
  ['235960', '235960.000000'],
  ['24', undefined],
  ['1060', undefined],
  ['103061', undefined],
  ['103015.1234567', undefined],
  ['1', undefined],
  ['', undefined],
])

table('DT, PS3.5 6.2', parseDateTime, [
  ['2024', { from: '20240101000000.000000', to: '20241231235959.999999' }],
  ['202402', { from: '20240201000000.000000', to: '20240229235959.999999' }],
  ['202302', { from: '20230201000000.000000', to: '20230228235959.999999' }],
  ['2024061510', { from: '20240615100000.000000', to: '20240615105959.999999' }],
  ['20240615103015.1+0530', { from: '20240615103015.100000+0530', to: '20240615103015.199999+0530' }],
  ['20240615-0500', { from: '20240615000000.000000-0500', to: '20240615235959.999999-0500' }],
  ['202413', undefined],
  ['20240615103015+2500', undefined],
  ['20240615T10', undefined],
  ['', undefined],
])

table('offsets from UTC', parseOffset, [
  ['+0000', 0],
  ['+1400', 840],
  ['-1200', -720],
  ['+1401', undefined],
  ['-1201', undefined],
  ['+0060', undefined],
  ['0100', undefined],
])

test('values of each VR', (t) => {
  const rows: readonly (readonly [string, unknown, string])[] = [
    ['AE', ' STORE ', 'STORE'],
    ['CS', 'CT ', 'CT'],
    ['LO', ' a b\0', 'a b'],
    ['UT', ' a b ', ' a b'],
    ['SH', 'e\u0301', 'é'],
    ['UI', '1.2.3\0', '1.2.3'],
    ['IS', 7, '7'],
    ['IS', '+007', '7'],
    ['IS', '7a', '7a'],
    ['DS', '-0.0', '0'],
    ['DS', '1.50', '1.5'],
    ['DS', '1e3', '1000'],
    ['FD', 0.1, '0.1'],
    ['UV', 18446744073709551615n, '18446744073709551615'],
    ['SV', '-9223372036854775808', '-9223372036854775808'],
    ['AT', 0x00100020, '00100020'],
    ['AT', '(0010,0020)', '00100020'],
    ['DA', '2024.01.02', '20240102'],
    ['DA', 'unknown', ''],
    ['TM', '1030', '103000.000000'],
    ['DT', '2024', '20240101000000.000000'],
    ['LO', null, ''],
    ['LO', {}, ''],
    ['LO', new ArrayBuffer(2), ''],
  ]
  for (const [vr, value, expected] of rows) t.is(normalizeValue(vr, value), expected, `${vr} ${String(value)}`)
  t.deepEqual(normalizedValues('LO', ['a ', '', null, 'b']), ['a', 'b'])
  t.deepEqual(normalizedValues('LO', undefined), [])
})

test('what the databases cannot hold is not in a text', (t) => {
  t.is(boundText('a\0b'), 'ab')
  t.is(boundText('a\ud800b'), 'a\ufffdb')
  t.is(boundText('x'.repeat(70_000)).length, MAXIMUM_TEXT_CHARACTERS)
  t.true(boundText('😀'.repeat(MAXIMUM_TEXT_CHARACTERS)).isWellFormed())
  t.true(boundText(`x${'😀'.repeat(MAXIMUM_TEXT_CHARACTERS)}`).isWellFormed())
})

test('columns hold so much, and different values stay different', (t) => {
  const long = 'x'.repeat(MAXIMUM_COLUMN_CHARACTERS)
  t.is(columnText(long), long)
  const [one, other] = [columnText(`${long}a`), columnText(`${long}b`)]
  t.not(one, other)
  t.is(one, columnText(`${long}a`))
  t.true(one.length <= MAXIMUM_COLUMN_CHARACTERS)
  t.true(columnText(`x${'😀'.repeat(500)}`).isWellFormed())
})

test('normalizing twice is normalizing once, and never yields what a database refuses', (t) => {
  const vr = fc.constantFrom('AE', 'AS', 'AT', 'CS', 'DA', 'DS', 'DT', 'IS', 'LO', 'LT', 'SH', 'TM', 'UI', 'UT', 'US')
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.stringMatching(/^[0-9.:+-]{1,16}$/))
  const property = fc.property(vr, text, (one, given) => {
    const normalized = normalizeValue(one, given)
    if (normalized.includes('\0') || !normalized.isWellFormed()) return false
    // A TM or DT has got what it lacked.
    return normalizeValue(one, normalized) === normalized && foldText(foldText(given)) === foldText(given) && foldGroup(foldGroup(given)) === foldGroup(given)
  })
  t.notThrows(() => fc.assert(property, { numRuns: 1000, seed: 20261121 }))
})
