import path from 'node:path'
import { DicomtapError } from '@dicomtap/framework'
import { type FileSystem, systemCode } from '../file-system.ts'
import { currentProcess, stagingFolderName } from '../process-identity.ts'
import type { ObjectRecord } from '../records/record.ts'
import { RecordLog } from '../records/record-log.ts'
import { digestOf, type FileProblem } from './check-file.ts'

const FILE_MODE = 0o640
const DIRECTORY_MODE = 0o750

export interface RecordAcceptorOptions {
  readonly fileSystem: FileSystem
  readonly root: string
  readonly recordDirectory: string
  readonly signal: AbortSignal
}

/** Records what an operator found to be right as it is: files that were removed, changed or brought in on purpose. */
export class RecordAcceptor {
  readonly #options: RecordAcceptorOptions
  readonly #log: RecordLog
  #failure: unknown

  constructor(options: RecordAcceptorOptions) {
    this.#options = options
    this.#log = new RecordLog({
      fileSystem: options.fileSystem,
      directory: options.recordDirectory,
      name: stagingFolderName(currentProcess()),
      fileMode: FILE_MODE,
      directoryMode: DIRECTORY_MODE,
      isSynced: true,
      onFailure: (error) => (this.#failure = error),
    })
  }

  /** False when the file cannot be read. @throws DICOMTAP_ERR_STO_WRITE when nothing can be recorded. */
  async accept({ kind, relativePath }: FileProblem): Promise<boolean> {
    const record = kind === 'missing' ? absence(relativePath) : await this.#presence(relativePath)
    if (record === undefined) return false
    await this.#log.append(record)
    if (this.#failure === undefined) return true
    throw new DicomtapError('DICOMTAP_ERR_STO_WRITE', `${this.#options.recordDirectory} cannot be written to (${systemCode(this.#failure) ?? 'unknown'})`)
  }

  stop(): Promise<void> {
    return this.#log.stop()
  }

  async #presence(relativePath: string): Promise<ObjectRecord | undefined> {
    const { fileSystem, root, signal } = this.#options
    try {
      const { sha256, readBytes } = await digestOf(fileSystem, path.join(root, relativePath), signal)
      return { kind: 'stored', relativePath, sizeBytes: readBytes, sha256, recordedAtMs: Date.now() }
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return undefined
    }
  }
}

function absence(relativePath: string): ObjectRecord {
  return { kind: 'removed', relativePath, sizeBytes: 0, recordedAtMs: Date.now() }
}
