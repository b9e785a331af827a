import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dumped } from '../../corpus/dump.js'
import { dumpFolder } from '../../corpus/dump.js'
import type { Answer, OracleLevel } from '../../corpus/oracle.js'
import { expectedAnswers } from '../../corpus/oracle.js'
import { ENCODINGS } from '../../corpus/part10.js'
import { queries } from '../../corpus/questions.js'
import { writeCorpus } from '../../corpus/write-corpus.js'
import { makeSite, startArchive, store } from './archive.js'
import { askAll } from './ask.js'
import { startDcmqrscp, startOrthanc } from './others.js'

export type ArchiveName = 'dicomtap' | 'dcmqrscp' | 'Orthanc'

/** One way in which an answer is not what the files say. */
export interface Deviation {
  readonly archive: ArchiveName
  readonly query: string
  readonly level: OracleLevel
  /** A match that is not there, one that should not be, a value, or the final status. */
  readonly what: 'missing' | 'extra' | 'value' | 'status'
  /** The match, or the attribute. */
  readonly of: string
  readonly expected: string
  readonly given: string
}

interface Tested {
  readonly name: ArchiveName
  readonly aeTitle: string
  readonly port: number
  stop(): Promise<unknown>
}

const STARTERS: readonly ((folder: string) => Promise<Tested>)[] = [startDicomtap, startDcmqrscp, startOrthanc]

async function startDicomtap(folder: string): Promise<Tested> {
  await makeSite(folder, { database: { sqlite: './index/index.sqlite' }, destinations: {} })
  const archive = await startArchive(folder)
  return { name: 'dicomtap', aeTitle: 'ARCHIVE', port: archive.port, stop: () => archive.stop('SIGTERM') }
}

/**
 * Stores the uncompressed part of the corpus in dicomtap, DCMTK's dcmqrscp and Orthanc, puts the same queries to all
 * of them, and tells where the answers are not what the files say.
 */
export async function compareArchives(folder: string, seed = 1): Promise<{ readonly queries: number; readonly deviations: readonly Deviation[] }> {
  const corpus = join(folder, 'corpus')
  const all = await writeCorpus(corpus, { seed, largestStudy: 0 })
  const files = all.filter(({ encoding }) => !('isEncapsulated' in ENCODINGS[encoding]))
  const dumps = await dumpFolder(corpus)
  const instances = files.map(({ path }) => dumps.get(path) as Dumped)
  const asked = queries(seed)
  const deviations: Deviation[] = []
  for (const start of STARTERS) {
    const own = join(folder, start.name)
    await mkdir(own, { recursive: true })
    const archive = await start(join(own, 'site'))
    try {
      const complaints = await store(files, archive.port, archive.aeTitle)
      if (complaints !== '') throw new Error(`${archive.name} did not store the corpus: ${complaints}`)
      for (const { query, question, response } of await askAll(asked, archive.port, archive.aeTitle, join(own, 'asked'))) {
        const base = { archive: archive.name, query: query.title, level: query.level }
        if (response.final !== 'Success') deviations.push({ ...base, what: 'status', of: '', expected: 'Success', given: response.final })
        deviations.push(...deviationsOf(expectedAnswers(question, instances), response.answers, query.level).map((one) => ({ ...base, ...one })))
      }
    } finally {
      await archive.stop()
    }
  }
  return { queries: asked.length, deviations }
}

const UNIQUE: Readonly<Record<OracleLevel, string>> = { PATIENT: '00100020', STUDY: '0020000d', SERIES: '0020000e', IMAGE: '00080018' }

type Found = Pick<Deviation, 'what' | 'of' | 'expected' | 'given'>

function deviationsOf(expected: readonly Answer[], given: readonly Answer[], level: OracleLevel): Found[] {
  const idOf = (answer: Answer): string => answer[UNIQUE[level]] ?? ''
  const left = given.filter((answer) => !expected.some((other) => JSON.stringify(other) === JSON.stringify(answer)))
  const found: Found[] = []
  for (const answer of expected) {
    if (given.some((other) => JSON.stringify(other) === JSON.stringify(answer))) continue
    const at = left.findIndex((other) => idOf(other) === idOf(answer))
    const [other] = at < 0 ? [] : left.splice(at, 1)
    if (other === undefined) found.push({ what: 'missing', of: idOf(answer), expected: JSON.stringify(answer), given: '' })
    else found.push(...Object.keys(answer).filter((tag) => answer[tag] !== other[tag]).map((tag) => ({ what: 'value' as const, of: tag, expected: answer[tag] ?? '', given: other[tag] ?? '' })))
  }
  return [...found, ...left.map((answer) => ({ what: 'extra' as const, of: idOf(answer), expected: '', given: JSON.stringify(answer) }))]
}
