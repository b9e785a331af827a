import { constants } from 'node:fs'
import path from 'node:path'
import { type FileSystem, systemCode } from '../file-system.ts'
import { decodeRecord, type ObjectRecord } from './record.ts'

const CHUNK_BYTES = 256 * 1024
const LONGEST_LINE_BYTES = 64 * 1024
const NEWLINE = 0x0a

/** How far the files of records were read, by their names. */
export type ReadPosition = Map<string, number>

/** What was between two reads of the files. */
export interface RecordBatch {
  readonly records: readonly ObjectRecord[]
  /** Lines that are no records: cut by a crash, or changed. */
  readonly damagedLines: number
}

/** The files of records, oldest day first, and how long they are; empty when there are none. */
export async function recordFiles(fileSystem: FileSystem, directory: string): Promise<Map<string, number>> {
  const files = new Map<string, number>()
  for (const { name, isFile } of (await entriesOf(fileSystem, directory)).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (isFile && name.endsWith('.records')) files.set(name, (await fileSystem.stat(path.join(directory, name))).sizeBytes)
  }
  return files
}

/**
 * Reads records a chunk at a time, from `position` on, which moves along. A line without an end, which somebody may
 * just be writing, is left for the next time.
 *
 * @param files what to read, and up to which length.
 */
export async function* readRecords(
  fileSystem: FileSystem,
  directory: string,
  files: ReadonlyMap<string, number>,
  position: ReadPosition = new Map(),
): AsyncGenerator<RecordBatch> {
  for (const [name, end] of files) {
    const descriptor = await fileSystem.open(path.join(directory, name), constants.O_RDONLY)
    try {
      yield* readFile(fileSystem, descriptor, name, end, position)
    } finally {
      await fileSystem.close(descriptor)
    }
  }
}

async function* readFile(fileSystem: FileSystem, descriptor: number, name: string, end: number, position: ReadPosition): AsyncGenerator<RecordBatch> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES + LONGEST_LINE_BYTES)
  let kept = 0
  let isSkipping = false
  for (let at = position.get(name) ?? 0; at < end; ) {
    const read = await fileSystem.read(descriptor, buffer.subarray(kept, kept + Math.min(CHUNK_BYTES, end - at)), at)
    if (read === 0) break
    at += read
    const filled = kept + read
    const lastEnd = buffer.lastIndexOf(NEWLINE, filled - 1)
    let damagedLines = 0
    let records: ObjectRecord[] = []
    if (lastEnd >= 0) {
      const lines = buffer.toString('utf8', 0, lastEnd).split('\n')
      if (isSkipping) {
        lines.shift()
        damagedLines += 1
        isSkipping = false
      }
      const decoded = lines.filter((line) => line !== '').map(decodeRecord)
      records = decoded.filter((record) => record !== undefined)
      damagedLines += decoded.length - records.length
      position.set(name, at - (filled - lastEnd - 1))
    }
    kept = filled - lastEnd - 1
    buffer.copyWithin(0, lastEnd + 1, filled)
    if (kept > LONGEST_LINE_BYTES) {
      kept = 0
      isSkipping = true
    }
    yield { records, damagedLines }
  }
}

async function entriesOf(fileSystem: FileSystem, directory: string): ReturnType<FileSystem['readFolder']> {
  try {
    return await fileSystem.readFolder(directory)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
