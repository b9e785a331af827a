import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileStatus, type FileSystem, statusOf, systemCode } from '../file-system.ts'
import type { Expectation } from './expectation.ts'

const CHUNK_BYTES = 256 * 1024

/** What is wrong with a file. */
export interface FileProblem {
  /**
   * `missing`: it is not there. `changed`: it is not what was stored. `unreadable`: the disk or the permissions do not
   * let it be read. `unrecorded`: nothing is recorded of it.
   */
  readonly kind: 'missing' | 'changed' | 'unreadable' | 'unrecorded'
  readonly relativePath: string
  /** In words, for people. */
  readonly detail?: string | undefined
}

/** What a check of one file found. */
export interface CheckedFile {
  readonly problem?: Omit<FileProblem, 'relativePath'> | undefined
  /** How much was read. */
  readonly readBytes: number
  /** Whether its content was compared, not the size alone. */
  readonly isCompared: boolean
  readonly status?: FileStatus | undefined
}

/** Compares a file with what is recorded of it. */
export async function checkFile(fileSystem: FileSystem, file: string, expectation: Expectation, isQuick: boolean, signal: AbortSignal): Promise<CheckedFile> {
  const { objects } = expectation
  let status: FileStatus | undefined
  try {
    status = await statusOf(fileSystem, file)
    if (status === undefined) {
      const problem = expectation.allowsAbsence ? undefined : ({ kind: 'missing' } as const)
      return { problem, readBytes: 0, isCompared: true }
    }
    if (objects.length === 0) return { problem: { kind: 'unrecorded' }, readBytes: 0, isCompared: false, status }
    if (!status.isFile) return { problem: { kind: 'changed', detail: 'it is no file' }, readBytes: 0, isCompared: false, status }
    const { sizeBytes } = status
    const sameSize = objects.filter((object) => object.sizeBytes === sizeBytes)
    if (sameSize.length === 0) {
      const expected = objects.at(-1)?.sizeBytes ?? 0
      const what = sizeBytes === 0 ? 'it is empty' : sizeBytes < expected ? 'it is shorter' : 'it is longer'
      return { problem: { kind: 'changed', detail: `${what}: ${sizeBytes} bytes of ${expected}` }, readBytes: 0, isCompared: true, status }
    }
    if (isQuick || sameSize.some(({ sha256 }) => sha256 === undefined)) return { readBytes: 0, isCompared: false, status }
    const { sha256, readBytes } = await digestOf(fileSystem, file, signal)
    const isSame = sameSize.some((object) => object.sha256 === sha256)
    return { problem: isSame ? undefined : { kind: 'changed', detail: 'its content differs' }, readBytes, isCompared: true, status }
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    if (code === 'ENOENT') return { problem: { kind: 'missing' }, readBytes: 0, isCompared: true }
    return { problem: { kind: 'unreadable', detail: code }, readBytes: 0, isCompared: false, status }
  }
}

/** SHA-256 of a file in hexadecimal digits. */
export async function digestOf(fileSystem: FileSystem, file: string, signal: AbortSignal): Promise<{ sha256: string; readBytes: number }> {
  const hash = createHash('sha256')
  const buffers = [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)] as const
  const descriptor = await fileSystem.open(file, constants.O_RDONLY)
  let reading: Promise<number> | undefined
  try {
    let readBytes = 0
    reading = fileSystem.read(descriptor, buffers[0], 0)
    // The next chunk is read while this one is digested.
    for (let turn = 0; ; turn = 1 - turn) {
      const length = await reading
      reading = undefined
      if (length === 0) return { sha256: hash.digest('hex'), readBytes }
      readBytes += length
      signal.throwIfAborted()
      reading = fileSystem.read(descriptor, buffers[1 - turn] as Buffer, readBytes)
      hash.update((buffers[turn] as Buffer).subarray(0, length))
    }
  } finally {
    await reading?.catch(() => undefined)
    await fileSystem.close(descriptor)
  }
}
