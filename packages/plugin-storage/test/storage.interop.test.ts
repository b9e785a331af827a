import { TransferSyntax } from '@dicomtap/framework'
import { createTestServer, SAMPLE_KINDS, writeSampleFile } from '@dicomtap/framework/testing'
import { storage } from '@dicomtap/plugin-storage'
import test, { type ExecutionContext } from 'ava'
import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { filesIn, temporaryFolder } from './support/store-fixture.js'

const run = promisify(execFile)

// DCMTK as the sender and as the reader of what was stored. It must be installed: without it these are skipped.
const tools = ['storescu', 'dcmdump', 'dcmftest', 'dcmcjpeg']
const hasDcmtk = tools.every((tool) =>
  (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  }),
)
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write(`SKIPPED: ${tools.join(', ')} of DCMTK are not installed, plugin-storage was not tried against them\n`)

/** What a file holds, in DCMTK's words: the data set, and the elements of the file meta information. */
async function dump(file: string): Promise<{ dataSet: string[]; meta: string[] }> {
  const { stdout } = await run('dcmdump', ['-q', '+L', '+uc', file])
  const lines = stdout.split('\n').filter((line) => /^\s*\(/.test(line))
  return { meta: lines.filter((line) => line.startsWith('(0002')), dataSet: lines.filter((line) => !line.startsWith('(0002')) }
}

async function storescu(port: number, files: readonly string[], options: readonly string[] = []): Promise<void> {
  await run('storescu', ['-aet', 'DCMTK', '-aec', 'ARCHIVE', ...options, '127.0.0.1', String(port), ...files], {
    env: { ...process.env, TCP_NODELAY: '1' },
  })
}

async function samples(t: ExecutionContext, transferSyntaxUid?: string): Promise<string[]> {
  const folder = await temporaryFolder(t)
  const files = SAMPLE_KINDS.map((kind) => path.join(folder, `${kind}.dcm`))
  for (const [index, kind] of SAMPLE_KINDS.entries()) await writeSampleFile(files[index] as string, kind, transferSyntaxUid)
  return files
}

for (const [transferSyntaxUid, options] of [
  [TransferSyntax.ExplicitVRLittleEndian, ['-xe']],
  [TransferSyntax.ImplicitVRLittleEndian, ['-xi']],
  [TransferSyntax.ExplicitVRBigEndian, ['-xb']],
  [TransferSyntax.DeflatedExplicitVRLittleEndian, ['-xd']],
  [TransferSyntax.JPEG2000Lossless, ['-xv']],
  [TransferSyntax.RLELossless, ['-xr']],
] as const) {
  interop(`what storescu sends in ${transferSyntaxUid} is a DICOM file to DCMTK, with the same data set`, async (t) => {
    const directory = await temporaryFolder(t)
    const files = await samples(t, transferSyntaxUid)
    await using server = await createTestServer({ plugins: [storage({ directory, minimumFreeSpace: null, path: '{Modality}-{SOPInstanceUID}.dcm' })] })
    await storescu(server.port, files, [...options, '-R'])
    const stored = await filesIn(directory)
    t.is(stored.length, files.length)
    for (const [index, kind] of SAMPLE_KINDS.entries()) {
      const modality = { ct: 'CT', mr: 'MR', sr: 'SR', 'multi-frame': 'OT', pdf: 'DOC' }[kind]
      const file = path.join(directory, stored.find((name) => name.startsWith(`${modality}-`)) ?? '')
      const { stdout } = await run('dcmftest', [file])
      t.regex(stdout, /^yes:/)
      const [sent, got] = [await dump(files[index] as string), await dump(file)]
      t.deepEqual(got.dataSet, sent.dataSet, kind)
      const meta = got.meta.join('\n')
      t.regex(meta, /\(0002,0016\) AE \[DCMTK\]/)
      t.regex(meta, /\(0002,0018\) AE \[ARCHIVE\]/)
    }
  })
}

interop('an image that DCMTK compressed arrives as it is', async (t) => {
  const directory = await temporaryFolder(t)
  const [ct] = (await samples(t)) as [string]
  const jpeg = path.join(path.dirname(ct), 'jpeg.dcm')
  await run('dcmcjpeg', [ct, jpeg])
  await using server = await createTestServer({ plugins: [storage({ directory, path: '{SOPInstanceUID}.dcm' })] })
  await storescu(server.port, [jpeg], ['-xs', '-R'])
  const [stored = ''] = await filesIn(directory)
  const file = path.join(directory, stored)
  const got = await dump(file)
  t.regex(got.meta.join('\n'), /\(0002,0010\) UI =JPEGLossless:Non-hierarchical-1stOrderPrediction/)
  t.deepEqual(got.dataSet, (await dump(jpeg)).dataSet)
  await run('dcmdjpeg', [file, path.join(path.dirname(ct), 'plain.dcm')])
  t.pass()
})

interop('storescu sees the status: the second time 0111', async (t) => {
  const directory = await temporaryFolder(t)
  const files = await samples(t)
  await using server = await createTestServer({ plugins: [storage({ directory, duplicates: 'reject' })] })
  await storescu(server.port, files)
  const refused = await run('storescu', ['-v', '127.0.0.1', String(server.port), files[0] as string]).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return stdout + stderr
    },
  )
  t.regex(refused, /Received Store Response \(.*(?:0x0?111|Duplicate)/i)
})

interop('many objects with large PDUs, sent again: nothing is stored twice', async (t) => {
  const directory = await temporaryFolder(t)
  const folder = await temporaryFolder(t)
  const files: string[] = []
  for (let seed = 1; seed <= 20; seed++) {
    const file = path.join(folder, `${seed}.dcm`)
    await writeSampleFile(file, 'ct', undefined, { seed, rows: 256, columns: 256 })
    files.push(file)
  }
  await using server = await createTestServer({ plugins: [storage({ directory, durability: 'close' })] })
  for (let i = 0; i < 2; i++) await storescu(server.port, files, ['-pdu', '131072'])
  t.is((await filesIn(directory)).length, 20)
})
