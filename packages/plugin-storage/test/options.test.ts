import test from 'ava'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { PATH_FIELD_NAMES } from '../dist/path-fields.js'
import { storage, storageOptions } from '@dicomtap/plugin-storage'

test('the version of the plugin is that of the package', async (t) => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  t.is(storage.plugin.version, version)
})

const parse = (options: unknown): z.ZodSafeParseResult<z.output<typeof storageOptions>> => storageOptions.safeParse(options)

const schemaOf = (): z.core.JSONSchema.BaseSchema => z.toJSONSchema(storageOptions, { io: 'input', unrepresentable: 'any' })

function issues(options: unknown): string {
  const { error } = parse(options)
  return error === undefined ? '' : z.prettifyError(error)
}

test('a directory is enough', (t) => {
  t.deepEqual(parse({ directory: './data' }).data, {
    directory: './data',
    discard: false,
    path: '{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm',
    durability: 'fsync',
    duplicates: 'version',
    minimumFreeSpace: 256_000_000,
    quota: null,
    maximumObjectBytes: null,
    checkSopInstance: true,
    sha256: false,
    studyQuietPeriodMs: 30_000,
    fileMode: 0o640,
    directoryMode: 0o750,
  })
})

test('sizes, modes and names of classes are taken as people write them', (t) => {
  const { data } = parse({
    directory: '/data',
    minimumFreeSpace: null,
    quota: '2 TB',
    maximumObjectBytes: 1024,
    sopClasses: ['CTImageStorage', '1.2.840.10008.5.1.4.1.1.2', '1.3.6.1.4.1.99999.1'],
    transferSyntaxes: ['JPEG2000Lossless', '1.2.840.10008.1.2.1'],
    fileMode: '0600',
    directoryMode: 0o700,
  })
  t.like(data, { minimumFreeSpace: null, quota: 2e12, maximumObjectBytes: 1024, fileMode: 0o600, directoryMode: 0o700 })
  t.deepEqual(data?.sopClasses, ['1.2.840.10008.5.1.4.1.1.2', '1.3.6.1.4.1.99999.1'])
  t.deepEqual(data?.transferSyntaxes, ['1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.1'])
})

for (const [options, complaint] of [
  [{}, /is missing.*directory/s],
  [{ discard: false }, /is missing.*directory/s],
  [{ discard: 'yes', directory: 'd' }, /discard/],
  [{ directory: '' }, /directory/],
  [{ directory: 'd', dirctory: 'e' }, /dirctory/],
  [{ directory: 'd', path: '{Foo}/{SOPInstanceUID}' }, /unknown field \{Foo\}; known are/],
  [{ directory: 'd', path: '../{SOPInstanceUID}' }, /dot/],
  [{ directory: 'd', durability: 'maybe' }, /durability/],
  [{ directory: 'd', duplicates: 'overwrite' }, /duplicates/],
  [{ directory: 'd', minimumFreeSpace: '5 bananas' }, /minimumFreeSpace/],
  [{ directory: 'd', quota: -1 }, /quota/],
  [{ directory: 'd', sopClasses: ['CTImageStorge'] }, /CTImageStorge.*SOP class/],
  [{ directory: 'd', sopClasses: ['Verification'] }, /Verification/],
  [{ directory: 'd', sopClasses: [] }, /sopClasses/],
  [{ directory: 'd', transferSyntaxes: ['Papyrus3ImplicitVRLittleEndian'] }, /transfer syntax/],
  [{ directory: 'd', studyQuietPeriodMs: 0 }, /studyQuietPeriodMs/],
  [{ directory: 'd', fileMode: '999' }, /fileMode/],
  [{ directory: 'd', fileMode: 0o1777 }, /fileMode/],
] as const) {
  test(`refused: ${JSON.stringify(options)}`, (t) => {
    t.regex(issues(options), complaint)
  })
}

test('the schema takes what the options take', (t) => {
  const schema = schemaOf() as unknown as { properties: { quota: { anyOf: { anyOf?: { pattern?: string }[] }[] } } }
  const pattern = schema.properties.quota.anyOf[0]?.anyOf?.[1]?.pattern ?? 'none'
  for (const size of ['256 MB', '5GiB', '12', '1.5 tb']) t.regex(size, new RegExp(pattern))
})

test('schema.json is that of the options', async (t) => {
  const file = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(file, schemaOf(), 'run "npm run build && node scripts/write-schemas.mjs"')
})

test('schema.json describes every option, with its default', (t) => {
  const schema = schemaOf() as unknown as { properties: Record<string, { description?: string; default?: unknown }>; anyOf: unknown[] }
  const defaults = parse({ directory: 'd' }).data as unknown as Record<string, unknown>
  t.deepEqual(schema.anyOf, [{ required: ['directory'] }, { properties: { discard: { const: true } }, required: ['discard'] }])
  for (const [name, property] of Object.entries(schema.properties)) {
    t.truthy(property.description, name)
    if (name === 'directory') continue
    const described = parse({ directory: 'd', ...(property.default === undefined ? {} : { [name]: property.default }) }).data as never
    t.deepEqual(described[name], defaults[name], name)
    t.is(property.default === undefined, defaults[name] === undefined, name)
  }
})

test('the README names every option and every field of a path', async (t) => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'))
  for (const name of Object.keys((schemaOf() as { properties: object }).properties)) {
    t.true(rows.some((row) => row.split('|')[1]?.includes(`\`${name}\``)), name)
  }
  const fields = /^Fields: (.*)\.$/m.exec(readme)?.[1]?.replaceAll('`', '').split(' ')
  t.deepEqual(fields?.toSorted(), [...PATH_FIELD_NAMES].toSorted())
})
