import { canConvertDataSet, convertDataSet } from '../../dataset/convert.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { DataSetBytes } from '../fragmenter.ts'
import { madeWhole } from '../made-whole.ts'
import type { FileToSend } from '../types.ts'
import { StoreFile } from '../user/store-file.ts'
import type { FileOpening } from '../user/store-file.ts'
import type { PulledInstance } from './pulled-instance.ts'

/** A file of which it is known what is in it: opened when it is sent, and let go after. */
export class FileInstance implements PulledInstance {
  readonly isInMemory = false
  readonly sopInstanceUid: string
  readonly #path: string | URL
  readonly #opening: FileOpening
  #sopClassUid: string
  #transferSyntaxUid: string
  #file: StoreFile | undefined
  #confirming: Promise<boolean> | undefined

  constructor({ path, sopClassUid, sopInstanceUid, transferSyntaxUid, followsLinks = true }: FileToSend) {
    this.#path = path
    this.#opening = { name: `The file of ${sopInstanceUid}`, followsLinks }
    this.sopInstanceUid = sopInstanceUid
    this.#sopClassUid = sopClassUid
    this.#transferSyntaxUid = transferSyntaxUid
  }

  get sopClassUid(): string {
    return this.#sopClassUid
  }

  get transferSyntaxUid(): string {
    return this.#transferSyntaxUid
  }

  canBeIn(transferSyntaxUid: string): boolean {
    return transferSyntaxUid === this.#transferSyntaxUid || canConvertDataSet(this.#transferSyntaxUid, transferSyntaxUid)
  }

  confirm(): Promise<boolean> {
    this.#confirming ??= this.#confirm().finally(() => {
      this.#confirming = undefined
    })
    return this.#confirming
  }

  async #confirm(): Promise<boolean> {
    if (this.#file !== undefined) return true
    const file = await this.#open()
    this.#file = file
    const { sopClassUid, transferSyntaxUid } = file.head
    if (sopClassUid === this.#sopClassUid && transferSyntaxUid === this.#transferSyntaxUid) return true
    this.#sopClassUid = sopClassUid
    this.#transferSyntaxUid = transferSyntaxUid
    return false
  }

  /** @throws also when it is no longer what it was when it was confirmed */
  async bytesIn(transferSyntaxUid: string): Promise<DataSetBytes> {
    if (!(await this.confirm())) throw this.#unusable('it changed after it was opened')
    const bytes = await (this.#file as StoreFile).bytes()
    if (transferSyntaxUid === this.#transferSyntaxUid) return bytes
    return madeWhole(bytes, (all) => convertDataSet(all, this.#transferSyntaxUid, transferSyntaxUid))
  }

  async close(): Promise<void> {
    await this.#confirming?.catch(() => {}) // what it opens has to be closed
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #open(): Promise<StoreFile> {
    const file = StoreFile.openWhole(this.#path, {}, this.#opening) ?? (await StoreFile.open(this.#path, {}, this.#opening))
    if (file.head.sopInstanceUid === this.sopInstanceUid) return file
    await file.close()
    throw this.#unusable('another instance is in it')
  }

  #unusable(reason: string): DicomtapError {
    return new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', `${this.#opening.name} cannot be sent: ${reason}`)
  }
}
