import type { DataSetBytes } from '../fragmenter.ts'
import type { StoreBytes } from '../user-types.ts'
import type { PulledInstance } from './pulled-instance.ts'

/** An instance as C-STORE takes it, and whether its own bytes were what failed. */
export class WatchedSource implements StoreBytes {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly #instance: PulledInstance
  #hasFailed = false

  constructor(instance: PulledInstance, transferSyntaxUid: string) {
    this.sopClassUid = instance.sopClassUid
    this.sopInstanceUid = instance.sopInstanceUid
    this.transferSyntaxUid = transferSyntaxUid
    this.#instance = instance
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** What is whole is given whole: it leaves in one write. */
  async bytes(): Promise<DataSetBytes> {
    try {
      const bytes = await this.#instance.bytesIn(this.transferSyntaxUid)
      return bytes instanceof Uint8Array ? bytes : this.#watched(bytes)
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }

  async *#watched(bytes: Exclude<DataSetBytes, Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* bytes
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }
}
