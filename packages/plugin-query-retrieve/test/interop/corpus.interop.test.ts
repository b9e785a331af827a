// The corpus is what it claims to be: DCMTK reads the same text in it that its tables say.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { decodeText } from '../corpus/decode-text.js'
import { dumpFolder } from '../corpus/dump.js'
import { patientOf } from '../corpus/oracle.js'
import { ENCODINGS, part10 } from '../corpus/part10.js'
import { TEXTS } from '../corpus/texts.js'
import type { EncodedText } from '../corpus/texts.js'
import { writeCorpus } from '../corpus/write-corpus.js'
import { interop } from './support/interop.js'
import { run } from './support/programs.js'

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-corpus-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

interop(['dcmtk'], 'the bytes of each text say what its table says, to the platform and to DCMTK', async (t) => {
  const folder = await temporaryFolder(t)
  for (const [name, { characterSet, bytes, text }] of Object.entries(TEXTS) as [string, EncodedText][]) {
    t.is(decodeText(bytes, characterSet.split('\\')), text, name)
    const path = join(folder, `${name}.dcm`)
    await writeFile(path, part10([['00080005', 'CS', characterSet], ['00100010', 'PN', bytes]], ENCODINGS.explicit))
    const { output } = await run('dcmdump', ['-q', '+U8', '+P', '0010,0010', path])
    // glibc's iconv, which DCMTK may be built with, has no JIS X 0208 of its own.
    if (/Cannot (open|select)/.test(output)) t.regex(characterSet, /IR 87/, `${name}: ${output}`)
    else t.is(Buffer.from(output, 'latin1').toString('utf8').match(/\[(.*)\]/)?.[1], text, name)
  }
})

interop(['dcmtk'], 'the corpus is the same for the same seed, and DICOM files to DCMTK', async (t) => {
  const [one, again, other] = [await temporaryFolder(t), await temporaryFolder(t), await temporaryFolder(t)]
  const options = { largestStudy: 12, ordinaryPatients: 5 }
  const files = await writeCorpus(one, options)
  const [same, different] = [await writeCorpus(again, options), await writeCorpus(other, { ...options, seed: 2 })]
  t.is(same.length, files.length)
  for (const [index, file] of files.entries()) t.deepEqual(await readFile(same[index]?.path as string), await readFile(file.path))
  t.notDeepEqual(different.map(({ sopInstanceUid }) => sopInstanceUid), files.map(({ sopInstanceUid }) => sopInstanceUid))
  t.is(new Set(files.map(({ sopInstanceUid }) => sopInstanceUid)).size, files.length)
  t.deepEqual([...new Set(files.map(({ encoding }) => encoding))].toSorted(), Object.keys(ENCODINGS).toSorted())

  const tested = await run('dcmftest', files.map(({ path }) => path))
  t.deepEqual(tested.output.split('\n').filter((line) => line !== '' && !line.startsWith('yes:')), [])
  const dumps = await dumpFolder(one)
  t.is(dumps.size, files.length)
  for (const { path, sopInstanceUid } of files) t.is(dumps.get(path)?.get('00080018')?.text, sopInstanceUid)
  const patients = new Set([...dumps.values()].map(patientOf))
  t.true(patients.has('SAME\nHOSPITAL_A') && patients.has('SAME\nHOSPITAL_B'))
})
