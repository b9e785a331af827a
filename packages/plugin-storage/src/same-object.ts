import { decodePart10Header } from '@dicomtap/framework'
import { constants } from 'node:fs'
import { systemCode, type FileSystem } from './file-system.ts'

const CHUNK_BYTES = 128 * 1024
const HEAD_BYTES = 16 * 1024

/**
 * Whether two Part 10 files hold the same data set in the same transfer syntax. Their file meta information
 * may differ: it also names who sent the object. False when the second file is gone or no Part 10 file.
 */
export function isSameObject(fileSystem: FileSystem, path: string, otherPath: string): Promise<boolean> {
  return compare(fileSystem, path, otherPath, hasSameDataSet)
}

/** Whether two Part 10 files say in their file meta information that they hold the same SOP instance. */
export function isSameInstance(fileSystem: FileSystem, path: string, otherPath: string): Promise<boolean> {
  return compare(fileSystem, path, otherPath, async (_, descriptor, other) => {
    const uids = await Promise.all([descriptor, other].map(async (from) => {
      const head = Buffer.allocUnsafe(HEAD_BYTES)
      return readStart(await readFully(fileSystem, from, head, 0))?.meta.sopInstanceUid
    }))
    return uids[0] !== undefined && uids[0] === uids[1]
  })
}

type Comparison = (fileSystem: FileSystem, descriptor: number, other: number) => Promise<boolean>

async function compare(fileSystem: FileSystem, path: string, otherPath: string, comparison: Comparison): Promise<boolean> {
  const descriptor = await fileSystem.open(path, constants.O_RDONLY)
  try {
    const other = await fileSystem.open(otherPath, constants.O_RDONLY)
    try {
      return await comparison(fileSystem, descriptor, other)
    } finally {
      await fileSystem.close(other)
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EISDIR') return false
    throw error
  } finally {
    await fileSystem.close(descriptor)
  }
}

async function hasSameDataSet(fileSystem: FileSystem, descriptor: number, other: number): Promise<boolean> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const otherChunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const start = readStart(await readFully(fileSystem, descriptor, chunk.subarray(0, HEAD_BYTES), 0))
  const otherStart = readStart(await readFully(fileSystem, other, otherChunk.subarray(0, HEAD_BYTES), 0))
  if (start === undefined || otherStart === undefined) return false
  if (start.meta.transferSyntaxUid !== otherStart.meta.transferSyntaxUid) return false
  for (let position = 0; ; position += CHUNK_BYTES) {
    const [bytes, otherBytes] = await Promise.all([
      readFully(fileSystem, descriptor, chunk, start.dataSetOffset + position),
      readFully(fileSystem, other, otherChunk, otherStart.dataSetOffset + position),
    ])
    if (!bytes.equals(otherBytes)) return false
    if (bytes.length < CHUNK_BYTES) return true
  }
}

function readStart(head: Buffer): ReturnType<typeof decodePart10Header> | undefined {
  try {
    return decodePart10Header(head)
  } catch {
    return undefined
  }
}

/** Fills `buffer` from `position`; less only at the end of the file. */
async function readFully(fileSystem: FileSystem, descriptor: number, buffer: Buffer, position: number): Promise<Buffer> {
  let length = 0
  while (length < buffer.length) {
    const read = await fileSystem.read(descriptor, buffer.subarray(length), position + length)
    if (read === 0) break
    length += read
  }
  return buffer.subarray(0, length)
}
