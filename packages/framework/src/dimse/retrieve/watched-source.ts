import type { InstanceToSend } from '../types.ts'
import type { StoreBytes } from '../user-types.ts'

/** An instance as C-STORE takes it, and whether its own bytes were what failed. */
export class WatchedSource implements StoreBytes {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly #instance: InstanceToSend
  #hasFailed = false

  constructor(instance: InstanceToSend) {
    this.sopClassUid = instance.sopClassUid
    this.sopInstanceUid = instance.sopInstanceUid
    this.transferSyntaxUid = instance.transferSyntaxUid
    this.#instance = instance
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#instance.bytes()
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }
}
