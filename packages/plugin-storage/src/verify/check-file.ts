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

/** What is there under a name. */
export interface Observation {
  /** Undefined when nothing is there. */
  readonly status: FileStatus | undefined
  /** Of what was read, or, when nothing was, as the file system says. */
  readonly sizeBytes: number
  /** Undefined when it was not read. */
  readonly sha256: string | undefined
  /** The system's word for what went wrong. */
  readonly failure?: string | undefined
}

/** Compares a file with what is recorded of it; reads it only when that can tell something. */
export async function checkFile(fileSystem: FileSystem, file: string, expectation: Expectation, isQuick: boolean, signal: AbortSignal): Promise<CheckedFile> {
  const isRead = ({ sizeBytes }: FileStatus): boolean => {
    const sameSize = expectation.objects.filter((object) => object.sizeBytes === sizeBytes)
    return !isQuick && sameSize.length > 0 && sameSize.every(({ sha256 }) => sha256 !== undefined)
  }
  return judge(await observe(fileSystem, file, isRead, signal), expectation)
}

/** Looks at what is there, and reads it when `isRead` says so. */
export async function observe(fileSystem: FileSystem, file: string, isRead: (status: FileStatus) => boolean, signal: AbortSignal): Promise<Observation> {
  let status: FileStatus | undefined
  try {
    status = await statusOf(fileSystem, file)
    if (status === undefined || !status.isFile || !isRead(status)) return { status, sizeBytes: status?.sizeBytes ?? 0, sha256: undefined }
    const { sha256, readBytes } = await digestOf(fileSystem, file, signal)
    return { status, sizeBytes: readBytes, sha256 }
  } catch (error) {
    const failure = systemCode(error)
    if (failure === undefined) throw error
    if (failure === 'ENOENT') return { status: undefined, sizeBytes: 0, sha256: undefined }
    return { status, sizeBytes: 0, sha256: undefined, failure }
  }
}

/** Whether what was observed is what is recorded. */
export function judge({ status, sizeBytes, sha256, failure }: Observation, expectation: Expectation): CheckedFile {
  const { objects } = expectation
  const found = (problem?: CheckedFile['problem'], isCompared = false): CheckedFile => ({
    problem, isCompared, status, readBytes: sha256 === undefined ? 0 : sizeBytes,
  })
  if (failure !== undefined) return found({ kind: 'unreadable', detail: failure })
  if (status === undefined) return found(expectation.allowsAbsence || objects.length === 0 ? undefined : { kind: 'missing' }, true)
  if (objects.length === 0) return found({ kind: 'unrecorded' })
  if (!status.isFile) return found({ kind: 'changed', detail: 'it is no file' })
  const sameSize = objects.filter((object) => object.sizeBytes === sizeBytes)
  if (sameSize.length === 0) {
    const expected = objects.at(-1)?.sizeBytes ?? 0
    const what = sizeBytes === 0 ? 'it is empty' : sizeBytes < expected ? 'it is shorter' : 'it is longer'
    return found({ kind: 'changed', detail: `${what}: ${sizeBytes} bytes of ${expected}` })
  }
  if (sha256 === undefined || sameSize.some((object) => object.sha256 === undefined)) return found()
  return sameSize.some((object) => object.sha256 === sha256) ? found(undefined, true) : found({ kind: 'changed', detail: 'its content differs' })
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
