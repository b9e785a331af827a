import { type DataSet, DicomtapError, readFileAttributes } from '@dicomtap/framework'
import path from 'node:path'
import type { StoredFile } from '../storage-service.ts'
import type { AttributeCatalogue } from '../model/attributes.ts'
import { describeInstance } from '../model/describe-instance.ts'
import { HeadDescriber, wantedAttributes } from '../model/head-describer.ts'
import type { IndexedInstance } from '../model/instance.ts'
import { QuickStat } from './quick-stat.ts'

/** Why a file is not in the index, in words without anything of the patient. */
export interface Unusable {
  readonly reason: string
  /** Undefined: the file was read, and is no instance. Else the system's name of its error: it may be readable later. */
  readonly code: string | undefined
}

/** What a file is to the index. */
export type ReadInstance = { readonly instance: IndexedInstance; readonly problem: string | undefined } | Unusable

export type HeadOfFile = Pick<StoredFile, 'relativePath' | 'transferSyntaxUid' | 'dataSetHead' | 'dataSetBytes'>

/** Reads stored files as the index takes them. */
export class InstanceReader {
  readonly #root: string
  readonly #attributes: AttributeCatalogue
  readonly #wanted: ReadonlySet<number>
  readonly #stat: QuickStat
  #heads: HeadDescriber | undefined

  constructor(root: string, attributes: AttributeCatalogue) {
    this.#root = root
    this.#attributes = attributes
    this.#wanted = wantedAttributes(attributes)
    this.#stat = new QuickStat(root)
  }

  /**
   * As `read`, of a file that was written a moment ago and of which the beginning is still there. Undefined when that
   * is not enough.
   */
  async readHead({ relativePath, transferSyntaxUid, dataSetHead, dataSetBytes }: HeadOfFile): Promise<ReadInstance | undefined> {
    if (dataSetHead === undefined || transferSyntaxUid === undefined || dataSetBytes === undefined) return undefined
    this.#heads ??= await HeadDescriber.load(this.#attributes)
    try {
      const { sizeBytes, modifiedAtMs } = await this.#stat.of(path.join(this.#root, relativePath))
      const head = { relativePath, transferSyntaxUid, dataSetHead, dataSetBytes }
      const instance = this.#heads.describe(head, { sizeBytes, storedAtMs: Math.floor(modifiedAtMs) })
      return instance && { instance, problem: undefined }
    } catch {
      return undefined
    }
  }

  /** Never rejects for what is in the file, or for a file that cannot be read. */
  async read(relativePath: string): Promise<ReadInstance> {
    try {
      const { meta, dataset, sizeBytes, modifiedAtMs, problem } = await readFileAttributes(path.join(this.#root, relativePath), {
        attributes: this.#wanted,
        isTolerant: true,
      })
      const file = { path: relativePath, sizeBytes, storedAtMs: Math.floor(modifiedAtMs), transferSyntaxUid: meta.transferSyntaxUid ?? '' }
      const instance = describeInstance(withUids(dataset, meta), file, this.#attributes)
      if (instance === undefined) return { reason: problem === undefined ? 'it lacks the UID of its study, series or instance' : problem.message, code: undefined }
      return { instance, problem: problem?.message }
    } catch (error) {
      if (error instanceof DicomtapError) return { reason: error.message, code: undefined }
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      return { reason: `it cannot be read (${code})`, code }
    }
  }
}

/** Where the data set lacks what the request of the sender said, the header of the file has it. */
function withUids(dataset: DataSet, meta: { readonly sopClassUid?: string | undefined; readonly sopInstanceUid?: string | undefined }): DataSet {
  dataset['SOPClassUID'] ??= meta.sopClassUid
  dataset['SOPInstanceUID'] ??= meta.sopInstanceUid
  return dataset
}
