import type { CStoreRequest, StatusDetails } from '@dicomtap/framework'
import type { Budget } from './budget.ts'
import type { Receiver } from './receive.ts'
import { Refusal } from './refusal.ts'

export interface DiscardingReceiverOptions {
  /** An object came, whole. */
  readonly onObject: (sopInstanceUid: string) => void
  readonly onFailure: (message: string) => void
  readonly budget: Budget
}

const PROCESSING_FAILURE = 0x0110

/** A receiver that takes every object, counts its bytes and keeps nothing: to try a server out, to measure it. */
export function createDiscardingReceiver({ onObject, onFailure, budget }: DiscardingReceiverOptions): Receiver {
  const counts = { received: 0, failed: 0, bytes: 0 }

  const store = async ({ affectedSopInstanceUid, dataSet }: CStoreRequest): Promise<number | StatusDetails> => {
    try {
      budget.takeObject()
      await dataSet.pipeTo({
        write(fragments) {
          for (const { length } of fragments) {
            counts.bytes += length
            budget.takeBytes(length)
          }
        },
      })
      counts.received += 1
      onObject(affectedSopInstanceUid)
      return 0x0000
    } catch (error) {
      counts.failed += 1
      const { message } = error as Error
      if (message !== '') onFailure(message)
      return { status: error instanceof Refusal ? error.status : PROCESSING_FAILURE, errorComment: 'The object could not be received' }
    }
  }

  return {
    store,
    get received() {
      return counts.received
    },
    kept: 0,
    get failed() {
      return counts.failed
    },
    get bytes() {
      return counts.bytes
    },
    hasFailed: () => false,
  }
}
