import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import type { Dumped } from '../../corpus/dump.js'
import { dumpFolder } from '../../corpus/dump.js'
import { textOf } from '../../corpus/oracle.js'

export interface StoredFile {
  readonly path: string
  readonly transferSyntaxUid: string
  /** As it stands in the file; a deflated one inflated, as every deflater writes other bytes. */
  readonly dataSet: Buffer
}

const DEFLATED = '1.2.840.10008.1.2.1.99'

/** The files of a folder and those below it, by SOP Instance UID, read without our own decoder. */
export async function filesIn(folder: string): Promise<Map<string, StoredFile>> {
  const files = new Map<string, StoredFile>()
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of names.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name)
    // Temporary names go after the answer.
    if (path.includes(`${sep}.dicomtap${sep}`)) continue
    const file = await readPart10(path)
    if (file === undefined) continue
    if (files.has(file.sopInstanceUid)) throw new Error(`${file.sopInstanceUid} is there twice: ${path}`)
    files.set(file.sopInstanceUid, { path, ...file })
  }
  return files
}

/** PS3.10 7.1: group 2 is in Explicit VR Little Endian and begins with its length. */
async function readPart10(path: string): Promise<(Omit<StoredFile, 'path'> & { sopInstanceUid: string }) | undefined> {
  const bytes = await readFile(path)
  if (bytes.length < 144 || bytes.toString('latin1', 128, 132) !== 'DICM') return undefined
  const end = 144 + bytes.readUInt32LE(140)
  const uids = new Map<number, string>()
  for (let at = 144; at < end; ) {
    const isLong = ['OB', 'UN', 'UT'].includes(bytes.toString('latin1', at + 4, at + 6))
    const length = isLong ? bytes.readUInt32LE(at + 8) : bytes.readUInt16LE(at + 6)
    const start = at + (isLong ? 12 : 8)
    uids.set(bytes.readUInt16LE(at + 2), bytes.toString('latin1', start, start + length).replace(/[\0 ]+$/, ''))
    at = start + length
  }
  const transferSyntaxUid = uids.get(0x0010) ?? ''
  const dataSet = bytes.subarray(end)
  return { transferSyntaxUid, sopInstanceUid: uids.get(0x0003) ?? '', dataSet: transferSyntaxUid === DEFLATED ? inflateRawSync(dataSet) : dataSet }
}

/**
 * What was received is what was sent for: each of these instances, once, and nothing else. Bytes are compared where
 * the transfer syntax is the same, else what DCMTK reads in both; `isConverted` says whether that may be.
 */
export async function sameInstances(
  t: ExecutionContext,
  received: string,
  originals: ReadonlyMap<string, StoredFile>,
  uids: readonly string[],
  { isConverted = false, why = '' }: { isConverted?: boolean; why?: string } = {},
): Promise<void> {
  const files = await filesIn(received)
  t.deepEqual([...files.keys()].toSorted(), [...uids].toSorted(), why)
  const converted: string[] = []
  for (const [uid, { transferSyntaxUid, dataSet }] of files) {
    const original = originals.get(uid)
    if (original?.transferSyntaxUid !== transferSyntaxUid) converted.push(uid)
    else if (!original.dataSet.equals(dataSet)) t.fail(`${why}: the bytes of ${uid} have changed`)
  }
  if (!isConverted) t.deepEqual(converted, [], `${why}: other transfer syntaxes`)
  else await sameValues(t, received, converted, originals)
}

async function sameValues(t: ExecutionContext, received: string, uids: readonly string[], originals: ReadonlyMap<string, StoredFile>): Promise<void> {
  const folders = new Set(uids.map((uid) => join(originals.get(uid)?.path ?? '', '..')))
  const before = new Map<string, Dumped>()
  for (const folder of folders) for (const dump of (await dumpFolder(folder)).values()) before.set(textOf(dump, '00080018'), dump)
  for (const dump of (await dumpFolder(received)).values()) {
    const uid = textOf(dump, '00080018')
    if (uids.includes(uid)) t.deepEqual(withoutMeta(dump), withoutMeta(before.get(uid)), uid)
  }
}

function withoutMeta(dump: Dumped | undefined): unknown {
  return [...(dump ?? [])].filter(([tag]) => !tag.startsWith('0002'))
}
