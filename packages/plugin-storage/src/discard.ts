import type { CStoreRequest, Logger, StatusAnswer } from '@dicomtap/framework'
import { StoreStatus } from './failure.ts'
import type { RemovalResult, StorageStats } from './service.ts'
import type { ObjectTaker } from './store.ts'

/** Takes the objects of C-STORE requests and keeps none: what was asked for with `discard`. */
export class ObjectDiscarder implements ObjectTaker {
  readonly #log: Logger
  #objects = 0
  #bytes = 0
  #failures = 0
  #inFlight = 0

  constructor(log: Logger) {
    this.#log = log
  }

  start(): Promise<void> {
    this.#log.warn('discard is set: every object is answered 0000 and thrown away, nothing is stored')
    return Promise.resolve()
  }

  async store({ dataSet }: CStoreRequest): Promise<StatusAnswer> {
    let bytes = 0
    this.#inFlight += 1
    try {
      await dataSet.pipeTo({
        write(fragments) {
          for (const { length } of fragments) bytes += length
        },
      })
      this.#objects += 1
      this.#bytes += bytes
      return StoreStatus.Success
    } catch (error) {
      this.#failures += 1
      throw error
    } finally {
      this.#inFlight -= 1
    }
  }

  stats(): StorageStats {
    return {
      instancesStored: this.#objects,
      duplicates: 0,
      bytesStored: this.#bytes,
      failures: this.#failures,
      inFlight: this.#inFlight,
      leftoversRemoved: 0,
    }
  }

  remove(relativePaths: readonly string[]): Promise<RemovalResult> {
    return Promise.resolve({ removed: 0, removedBytes: 0, missing: relativePaths.length, unremoved: [] })
  }

  associationEnded(): void {}

  stop(): Promise<void> {
    return Promise.resolve()
  }
}
