import { execFile, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DataSet } from '@dicomtap/framework'
import { createTestServer, writeSampleFile } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { PrintJob } from '../dist/print/queue.js'
import { print } from '../dist/print.js'

const run = promisify(execFile)
const hasDcmtk = ['dcmpsprt', 'dcmprscu'].every((tool) => spawnSync(tool, ['--version']).error === undefined)
if (!hasDcmtk) process.stderr.write('SKIPPED: dcmpsprt and dcmprscu of DCMTK are not installed, printing was not tried with them\n')
const interop = hasDcmtk ? test : test.skip

/** A folder for DCMTK's print tools, with the printer of the test in its configuration. */
async function spooler(t: ExecutionContext, port: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-print-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const name of ['database', 'spool', 'lut', 'log']) await mkdir(join(folder, name))
  const lines = [
    '[[GENERAL]]',
    '[PRINT]',
    'Directory = spool',
    String.raw`MinPrintResolution = 64\64`,
    '[DATABASE]',
    'Directory = database',
    '[NETWORK]',
    'aetitle = SPOOLER',
    '[[COMMUNICATION]]',
    '[PRINTER]',
    'Aetitle = PRINTER',
    'Hostname = 127.0.0.1',
    `Port = ${port}`,
    'Type = PRINTER',
    String.raw`DisplayFormat = 1,1\2,1`,
    'FilmSizeID = 14INX17IN',
    'MagnificationType = CUBIC',
    'MaxDensity = 310',
    'Supports12Bit = true',
    String.raw`Annotation = 1\LABEL`,
  ]
  await writeFile(join(folder, 'dcmpstat.cfg'), lines.join('\n'))
  return folder
}

interop('dcmprscu prints two images on a film, and then the whole session', async (t) => {
  const printed: PrintJob[] = []
  await using server = await createTestServer({ plugins: [print({ print: async (job) => void printed.push(job) })] })
  const cwd = await spooler(t, server.port)
  const settings = ['-c', 'dcmpstat.cfg', '-p', 'PRINTER']
  for (const seed of [1, 2]) await writeSampleFile(join(cwd, `${seed}.dcm`), 'ct', undefined, { seed })
  await run('dcmpsprt', [...settings, '-a', 'Second opinion', '-l', '2', '1', '1.dcm', '2.dcm'], { cwd })
  const [stored = ''] = (await readdir(join(cwd, 'database'))).filter((name) => name.startsWith('SP_'))
  await run('dcmprscu', [...settings, '--copies', '2', '--label', 'Round', join('database', stored)], { cwd })
  await run('dcmprscu', [...settings, '--session-print', join('database', stored)], { cwd })

  t.like(printed, [
    { originator: 'SPOOLER', session: { NumberOfCopies: 2, FilmSessionLabel: 'Round' } },
    { originator: 'SPOOLER', session: { NumberOfCopies: 1 } },
  ])
  for (const { films } of printed) {
    t.like(films, [{ attributes: { ImageDisplayFormat: 'STANDARD\\2,1', FilmSizeID: '14INX17IN' } }])
    t.regex(String(films[0]?.annotations[0]?.attributes?.['TextString']), /Second opinion$/)
    const images = films[0]?.images.map(({ attributes }) => ((attributes?.['BasicGrayscaleImageSequence'] ?? []) as DataSet[])[0])
    t.is(images?.length, 2)
    for (const image of images ?? []) {
      t.like(image, { PhotometricInterpretation: 'MONOCHROME2', BitsStored: 12 })
      // Two bytes a pixel.
      t.is((image?.['PixelData'] as ArrayBuffer[] | undefined)?.[0]?.byteLength, Number(image?.['Rows']) * Number(image?.['Columns']) * 2)
    }
  }
  t.deepEqual([...server.logged('error'), ...server.logged('warn')], [])
})
