import test from 'ava'
import fc from 'fast-check'
import path from 'node:path'
import { parseByteSize } from '../dist/byte-size.js'
import { containedPath, PathJail } from '../dist/contained-path.js'
import { PATH_FIELD_NAMES, type PathFieldName } from '../dist/path-fields.js'
import { parsePathTemplate } from '../dist/path-template.js'
import { safeSegment, safeText, safeUid } from '../dist/safe-name.js'

const SAFE_NAME = /^(?!\.)[A-Za-z0-9._-]{1,64}(?<!\.)$/
const DEVICE_NAME = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i

test('a UID is its own name, anything else a hash of it', (t) => {
  t.is(safeUid('1.2.840.113619.2.1'), '1.2.840.113619.2.1')
  t.is(safeUid('1'.repeat(64)), '1'.repeat(64))
  for (const hostile of ['../../x', '/etc/passwd', '1.2..3', '.1.2', '1.2.', '..', '.', '1.2\0', '1.2/3', '1.2\\3', 'CON', '1'.repeat(65), '']) {
    t.regex(safeUid(hostile), /^uid-[0-9a-f]{32}$/, hostile)
  }
  t.not(safeUid('../a'), safeUid('../b'))
})

test('a plain text value is its own name', (t) => {
  for (const plain of ['CT', 'P-0001_a.b', '20240131', '-', 'a'.repeat(64)]) t.is(safeText(plain), plain)
})

test('text with anything else in it is made safe and stays apart from other text', (t) => {
  const hostile = ['../x', '..', '.', '.hidden', 'a/b', 'a\\b', 'a b', 'a\0b', 'DOE^JOHN', 'Müller', 'Möller', 'con', 'NUL.txt', 'LPT1', 'x.', '$(id)', 'a:b', 'b'.repeat(65)]
  const names = hostile.map(safeText)
  for (const name of names) {
    t.regex(name, SAFE_NAME)
    t.notRegex(name, DEVICE_NAME)
  }
  t.is(new Set(names).size, hostile.length)
})

test('any text becomes a safe name', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), fc.stringMatching(/^[./\\a-z0-9 ]{1,30}$/)), (value) => {
      const name = safeText(value)
      return SAFE_NAME.test(name) && !DEVICE_NAME.test(name)
    }),
  )
  t.pass()
})

test('two values have the same name only when they are the same', (t) => {
  const text = fc.stringMatching(/^[./\\ab]{1,4}$/)
  fc.assert(fc.property(text, text, (a, b) => a === b || (safeText(a) !== safeText(b) && safeUid(a) !== safeUid(b))))
  t.pass()
})

test('a segment that is too long keeps its extension', (t) => {
  const segment = safeSegment(`${'a'.repeat(300)}.dcm`)
  t.true(segment.length <= 200)
  t.true(segment.endsWith('.dcm'))
  t.not(segment, safeSegment(`${'a'.repeat(301)}.dcm`))
})

const render = (source: string, values: Partial<Record<PathFieldName, string>> = {}): string =>
  parsePathTemplate(source).render((name) => (name === 'SOPInstanceUID' ? '1.2.3' : values[name]))

test('a template is filled in', (t) => {
  t.is(
    render('{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm', { StudyInstanceUID: '1.2', SeriesInstanceUID: '1.2.1' }),
    '1.2/1.2.1/1.2.3.dcm',
  )
  t.is(render('in/{CallingAETitle}-{Modality}/{SOPInstanceUID}', { CallingAETitle: 'CT1', Modality: 'CT' }), 'in/CT1-CT/1.2.3')
})

test('what an object does not have gets the default, or a word that says so', (t) => {
  t.is(render('{StudyInstanceUID}/{Modality:OT}/{SOPInstanceUID}', { Modality: '' }), 'unknown/OT/1.2.3')
})

test('|hash stands for the value without showing it', (t) => {
  // From sha256sum, of "DOE" and of "1.2.3".
  t.is(render('{PatientID|hash}/{SOPInstanceUID|hash:x}.dcm', { PatientID: 'DOE' }), 'c558ca848b23fa74/c47f5b18b8a430e698b9fe15e51f6119.dcm')
  t.is(render('{PatientID|hash:none}/{SOPInstanceUID}'), 'none/1.2.3')
})

for (const [source, complaint] of [
  ['{Nonsense}/{SOPInstanceUID}', /unknown field \{Nonsense\}; known are .*StudyInstanceUID/],
  ['{SOPInstanceUID|upper}', /unknown modifier/],
  ['{SOPInstanceUID:a/b}', /default|character/],
  ['{SOPInstanceUID:..}', /default/],
  ['{SOPInstanceUID:}', /default/],
  ['{StudyInstanceUID}.dcm', /must contain \{SOPInstanceUID\}/],
  ['/data/{SOPInstanceUID}', /relative/],
  ['../{SOPInstanceUID}', /dot/],
  ['.dicomtap/{SOPInstanceUID}', /dot/],
  ['a//{SOPInstanceUID}', /empty/],
  ['{SOPInstanceUID}/', /empty/],
  ['a\\{SOPInstanceUID}', /character/],
  ['a\0{SOPInstanceUID}', /character/],
  ['{SOPInstanceUID', /character/],
  ['x.{SOPInstanceUID}.', /dot/],
  ['C:{SOPInstanceUID}', /character/],
  ['{SeriesNumber}{SOPInstanceUID}', /between/],
  ['{SOPInstanceUID}.{InstanceNumber}', /between/],
] as const) {
  test(`the template ${JSON.stringify(source)} is refused`, (t) => {
    t.throws(() => parsePathTemplate(source), { message: complaint })
  })
}

test('whatever an object says, its path stays in the folder and is fit for a file system', (t) => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.stringMatching(/^[./\\ a-zA-Z0-9:*-]{0,70}$/),
    fc.constantFrom('..', '.', '/', '../../../../etc/passwd', 'CON', 'con.txt', '.dicomtap', '\0', '1.2.3', 'a'.repeat(70)),
  )
  const templates = [
    '{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm',
    '{PatientID}/{SOPInstanceUID}',
    '{PatientName}{StudyDescription}{SeriesDescription}_{SOPInstanceUID}',
    'COM{InstanceNumber}/{CallingAETitle}-{SOPInstanceUID}',
  ].map(parsePathTemplate)
  const root = path.resolve('/srv/dicom')
  fc.assert(
    fc.property(fc.constantFrom(...templates), fc.dictionary(fc.constantFrom<string>(...PATH_FIELD_NAMES), hostile), (template, values) => {
      const relative = template.render((name) => (Object.hasOwn(values, name) ? values[name] : undefined))
      const file = containedPath(root, relative)
      return (
        file !== undefined &&
        file.startsWith(root + path.sep) &&
        relative.split('/').every((segment) => segment.length <= 200 && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(segment) && !DEVICE_NAME.test(segment))
      )
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('a path outside of the folder, the folder itself and the own folder in it are refused', (t) => {
  const root = path.resolve('/srv/dicom')
  t.is(containedPath(root, 'a/b.dcm'), path.join(root, 'a', 'b.dcm'))
  t.is(containedPath(root, 'a/../b.dcm'), path.join(root, 'b.dcm'))
  for (const outside of ['', '.', '..', '../dicom2/x', '/etc/passwd', 'a/../../x', 'a\0b', '.dicomtap/x', '.DICOMTAP/x', './.dicomtap', 'a/../.dicomtap/x']) {
    t.is(containedPath(root, outside), undefined, outside)
  }
  t.is(containedPath('/', 'x'), path.resolve('/x'))
})

test('remembering folders changes no answer', (t) => {
  const root = path.resolve('/srv/dicom')
  const jail = new PathJail(root)
  const paths = fc.stringMatching(/^(?:[./\\ab]|\.\.\/|\.dicomtap\/){1,8}$/)
  fc.assert(fc.property(paths, (relative) => jail.resolve(relative) === containedPath(root, relative) && jail.resolve(relative) === containedPath(root, relative)))
  for (let i = 0; i < 1100; i++) t.is(jail.resolve(`${i}/x.dcm`), path.join(root, `${i}`, 'x.dcm'))
})

test('sizes are read as people write them', (t) => {
  t.is(parseByteSize('1024'), 1024)
  t.is(parseByteSize('500 MB'), 500_000_000)
  t.is(parseByteSize('1.5GiB'), 1_610_612_736)
  t.is(parseByteSize('2 tb'), 2_000_000_000_000)
  t.is(parseByteSize('5 bananas'), undefined)
  t.is(parseByteSize('99999999 TB'), undefined)
})
