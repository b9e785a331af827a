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

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      const bytes = await this.#instance.bytesIn(this.transferSyntaxUid)
      if (bytes instanceof Uint8Array) yield bytes
      else yield* bytes
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }
}
