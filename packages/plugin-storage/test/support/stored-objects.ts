import { decodePart10Header } from '@dicomtap/framework'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { type ObjectValues, dataSetOf } from './objects.js'

/** An object of a scenario: which instance, and which of its contents. */
export interface Sent {
  readonly uid: string
  readonly fill: number
}

export const POLICIES = ['version', 'replace', 'keep', 'reject'] as const
export type Policy = (typeof POLICIES)[number]

/** Of two sizes, so that some are one write and some are several. */
export function valuesOf({ uid, fill }: Sent): ObjectValues {
  const series = `1.2.3.${uid.at(-1)}`
  return { sopInstanceUid: uid, seriesInstanceUid: series, fill, pixelBytes: fill % 2 === 0 ? 300_000 : 2000 }
}

const dataSets = new Map<string, Buffer>()

/** Made once: the suites ask for the same ones thousands of times. */
function dataSetFor(one: Sent): Buffer {
  const key = `${one.uid} ${one.fill}`
  const dataSet = dataSets.get(key) ?? dataSetOf(valuesOf(one))
  dataSets.set(key, dataSet)
  return dataSet
}

/** What a policy leaves of a conflict, twice and in two folders. */
export const SCENARIO: readonly Sent[] = [
  { uid: '1.1', fill: 2 },
  { uid: '1.1', fill: 2 },
  { uid: '1.1', fill: 3 },
  { uid: '1.2', fill: 1 },
]

/** What is wrong with the files of a folder, given what was sent to it and what of it was answered 0000, in order. */
export async function lostObjects(
  directory: string,
  files: readonly string[],
  { policy, sent, acknowledged }: { policy: Policy; sent: readonly Sent[]; acknowledged: readonly Sent[] },
  read: (file: string) => Promise<Buffer> = (file) => readFile(path.join(directory, file)),
): Promise<string[]> {
  const wrong: string[] = []
  const found = new Map<string, number[]>()
  for (const file of files) {
    const uid = path.basename(file).replace(/(_v\d+)?\.dcm$/, '')
    const bytes = await read(file)
    const dataSet = part10DataSet(bytes)
    const match = sent.find((one) => one.uid === uid && dataSet?.equals(dataSetFor(one)))
    if (match === undefined) wrong.push(`${file} is half there: ${bytes.length} bytes`)
    else found.set(uid, [...(found.get(uid) ?? []), match.fill])
  }
  for (const [index, { uid, fill }] of acknowledged.entries()) {
    const fills = found.get(uid) ?? []
    const isThere = policy === 'version' || policy === 'reject' ? fills.includes(fill) : fills.length > 0
    if (!isThere) wrong.push(`${uid} with ${fill} was answered 0000 (${index + 1}.) and is not there`)
    if (policy !== 'version' && fills.length > 1) wrong.push(`${uid} is there ${fills.length} times`)
    if (policy === 'version' && new Set(fills).size !== fills.length) wrong.push(`${uid} is there twice`)
  }
  return wrong
}

function part10DataSet(bytes: Buffer): Buffer | undefined {
  try {
    return bytes.subarray(decodePart10Header(bytes).dataSetOffset)
  } catch {
    return undefined
  }
}
