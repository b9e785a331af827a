import { TransferSyntax } from '@dicomtap/framework'
import { createTestServer, writeSampleFile } from '@dicomtap/framework/testing'
import { storage } from '@dicomtap/plugin-storage'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { bitPreservingScp, dataSetBytes, dcmtkEnvironment, run, testWithTools } from './support/dcmtk.js'
import { filesIn, temporaryFolder } from './support/store-fixture.js'

const interop = testWithTools('storescu', 'storescp', 'dcmconv', 'dcmcjpeg', 'dcmcjpls', 'dcmcrle')

/** Encoded by DCMTK, but for JPEG 2000, of which it has no encoder. */
const ENCODINGS: readonly [name: string, transferSyntaxUid: string, option: string, encode: (from: string, to: string) => Promise<unknown>][] = [
  ['uncompressed explicit', TransferSyntax.ExplicitVRLittleEndian, '-xe', (from, to) => run('dcmconv', ['+te', from, to])],
  ['uncompressed implicit', TransferSyntax.ImplicitVRLittleEndian, '-xi', (from, to) => run('dcmconv', ['+ti', from, to])],
  ['big endian', TransferSyntax.ExplicitVRBigEndian, '-xb', (from, to) => run('dcmconv', ['+tb', from, to])],
  ['deflated', TransferSyntax.DeflatedExplicitVRLittleEndian, '-xd', (from, to) => run('dcmconv', ['+td', from, to])],
  ['JPEG baseline', TransferSyntax.JPEGBaseline8Bit, '-xy', (from, to) => run('dcmcjpeg', ['+eb', from, to])],
  ['JPEG lossless', TransferSyntax.JPEGLosslessSV1, '-xs', (from, to) => run('dcmcjpeg', ['+e1', from, to])],
  ['JPEG-LS', TransferSyntax.JPEGLSLossless, '-xt', (from, to) => run('dcmcjpls', [from, to])],
  ['JPEG 2000', TransferSyntax.JPEG2000Lossless, '-xv', (_, to) => writeSampleFile(to, 'ct', TransferSyntax.JPEG2000Lossless)],
  ['RLE', TransferSyntax.RLELossless, '-xr', (from, to) => run('dcmcrle', [from, to])],
]

for (const [name, transferSyntaxUid, option, encode] of ENCODINGS) {
  interop(`${name}: the stored data set is byte for byte what storescp +B got from the same storescu`, async (t) => {
    const folder = await temporaryFolder(t)
    const [plain, encoded] = [path.join(folder, 'plain.dcm'), path.join(folder, 'encoded.dcm')]
    await writeSampleFile(plain, 'ct', undefined, { rows: 64, columns: 64 })
    await encode(plain, encoded)

    const reference = path.join(folder, 'reference')
    await mkdir(reference)
    const scp = await bitPreservingScp(reference)
    await storescu(scp.port, [option, '-R', encoded])
    await scp.stop()

    const directory = path.join(folder, 'stored')
    await using server = await createTestServer({ plugins: [storage({ directory, minimumFreeSpace: null })] })
    await storescu(server.port, [option, '-R', encoded])

    const [expected, got] = [await readdir(reference), await filesIn(directory)]
    t.is(expected.length, 1)
    t.is(got.length, 1)
    const stored = path.join(directory, got[0] as string)
    t.true((await dataSetBytes(stored)).equals(await dataSetBytes(path.join(reference, expected[0] as string))))
    const { stdout } = await run('dcmdump', ['+P', '0002,0010', '-Un', stored])
    t.true(stdout.includes(`[${transferSyntaxUid}]`), stdout)
  })
}

const SENDERS = 8
/** All of them where the interop suite is asked for; otherwise as many as a test run has time for. */
const INSTANCES_EACH = process.env['DICOMTAP_REQUIRE_DCMTK'] === '1' ? 1250 : 100

interop(`${SENDERS * INSTANCES_EACH} instances over 8 associations at once: every one is there, byte for byte`, async (t) => {
  t.timeout(300_000)
  const folder = await temporaryFolder(t)
  // One file, written again with other instance UIDs of the same length: DCMTK then sends it as it stands.
  const uid = (sender: number, index: number): string => `2.25.9${sender}${String(index).padStart(8, '0')}`
  const template = path.join(folder, 'template.dcm')
  await writeSampleFile(template, 'mr', TransferSyntax.ExplicitVRLittleEndian, { sopInstanceUid: uid(0, 0) })
  const bytes = await readFile(template)
  for (let sender = 0; sender < SENDERS; sender++) {
    await mkdir(path.join(folder, String(sender)))
    for (let index = 0; index < INSTANCES_EACH; index++) {
      const own = Buffer.from(bytes.toString('latin1').replaceAll(uid(0, 0), uid(sender, index)), 'latin1')
      await writeFile(path.join(folder, String(sender), `${uid(sender, index)}.dcm`), own)
    }
  }
  const directory = path.join(folder, 'stored')
  await using server = await createTestServer({
    plugins: [storage({ directory, path: '{SOPInstanceUID}.dcm', minimumFreeSpace: null })],
  })
  await Promise.all(
    Array.from({ length: SENDERS }, (_, sender) => storescu(server.port, ['-xe', '+sd', path.join(folder, String(sender))])),
  )
  const stored = (await filesIn(directory)).filter((name) => name.endsWith('.dcm'))
  t.is(stored.length, SENDERS * INSTANCES_EACH)
  let different = 0
  for (let sender = 0; sender < SENDERS; sender++) {
    for (let index = 0; index < INSTANCES_EACH; index++) {
      const name = `${uid(sender, index)}.dcm`
      const [sent, got] = [await dataSetBytes(path.join(folder, String(sender), name)), await dataSetBytes(path.join(directory, name))]
      if (!sent.equals(got)) different += 1
    }
  }
  t.is(different, 0)
})

async function storescu(port: number, options: readonly string[]): Promise<void> {
  await run('storescu', [...options.slice(0, -1), '127.0.0.1', String(port), options.at(-1) as string], {
    env: dcmtkEnvironment,
    maxBuffer: 64 * 1024 * 1024,
  })
}
