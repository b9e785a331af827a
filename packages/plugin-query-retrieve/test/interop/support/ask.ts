import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Dumped } from '../../corpus/dump.js'
import { dumpFolder } from '../../corpus/dump.js'
import type { Answer, Question } from '../../corpus/oracle.js'
import { givenAnswer } from '../../corpus/oracle.js'
import { ENCODINGS, part10 } from '../../corpus/part10.js'
import type { Query } from '../../corpus/questions.js'
import { each, run } from './programs.js'

/** What came for a query. */
export interface Response {
  readonly answers: readonly Answer[]
  /** As they came, for what else is in them. */
  readonly identifiers: readonly Dumped[]
  /** What `findscu` says of the final response. */
  readonly final: string
  readonly pending: readonly string[]
}

export interface Asked {
  readonly query: Query
  readonly question: Question
  readonly response: Response
}

/** Puts the queries with DCMTK's `findscu`, each in an association of its own, a few at once. */
export async function askAll(queries: readonly Query[], port: number, aeTitle: string, folder: string): Promise<Asked[]> {
  const [asked, answered] = [join(folder, 'asked'), join(folder, 'answered')]
  const nameOf = (index: number): string => String(index).padStart(4, '0')
  await mkdir(asked, { recursive: true })
  await Promise.all(queries.map((query, index) => writeFile(join(asked, `${nameOf(index)}.dcm`), part10(query.elements, ENCODINGS.explicit))))
  const outputs: string[] = []
  await each(queries, 4, async ({ root }, index) => {
    const into = join(answered, nameOf(index))
    await mkdir(into, { recursive: true })
    const { output } = await run('findscu', ['-v', `-${root}`, '-aec', aeTitle, '-X', '-od', into, '127.0.0.1', String(port), join(asked, `${nameOf(index)}.dcm`)])
    outputs[index] = output
  })
  const [keys, responses] = [await dumpFolder(asked), await dumpFolder(answered)]
  const byFolder = new Map<string, Dumped[]>()
  for (const [path, identifier] of responses) byFolder.set(dirname(path), [...(byFolder.get(dirname(path)) ?? []), identifier])
  return queries.map((query, index) => {
    const question = { level: query.level, root: query.root, keys: keys.get(join(asked, `${nameOf(index)}.dcm`)) as Dumped }
    const identifiers = byFolder.get(join(answered, nameOf(index))) ?? []
    return { query, question, response: { identifiers, answers: identifiers.map((identifier) => givenAnswer(question, identifier)), ...statuses(outputs[index] ?? '') } }
  })
}

function statuses(output: string): Pick<Response, 'final' | 'pending'> {
  return {
    final: /Received Final Find Response \((.*)\)/.exec(output)?.[1] ?? output.trim().slice(-300),
    pending: [...output.matchAll(/Received Find Response \d+ \((.*)\)/g)].map(([, status = '']) => status),
  }
}

/** What two sets of answers do not have in common, in words. */
export function difference(expected: readonly Answer[], given: readonly Answer[]): string | undefined {
  const lines = (answers: readonly Answer[]): string[] => answers.map((answer) => JSON.stringify(answer)).toSorted()
  const [wanted, got] = [lines(expected), lines(given)]
  const missing = without(wanted, got)
  const extra = without(got, wanted)
  if (missing.length === 0 && extra.length === 0) return undefined
  const some = (all: readonly string[]): string => `${all.length} ${all.slice(0, 2).join(' ')}`
  return `${wanted.length} expected, ${got.length} given; missing ${some(missing)}; not expected ${some(extra)}`
}

function without(all: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return all.filter((one) => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
