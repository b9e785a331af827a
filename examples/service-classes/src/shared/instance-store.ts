import { DicomtapError, StatusError, StorageStatus } from '@dicomtap/framework'
import type { CStoreRequest, DataSet, InstanceToSend } from '@dicomtap/framework'

/** An instance as it was sent, and its attributes without pixels and other bulk data. */
export interface StoredInstance extends InstanceToSend {
  readonly attributes: DataSet
}

/** What an instance costs besides its bytes: without that, many small ones would fill the memory. */
const OVERHEAD_BYTES = 4_096

/** Composite instances in memory, for examples that give back what was stored. */
export class InstanceStore {
  readonly #maximumBytes: number
  readonly #instances = new Map<string, { readonly instance: StoredInstance; readonly cost: number }>()
  #usedBytes = 0

  constructor(maximumBytes: number) {
    this.#maximumBytes = maximumBytes
  }

  /**
   * Takes an instance; one that is there already is replaced.
   * @throws StatusError A700, A900; what cannot be decoded is C000 by the framework
   */
  async add({ affectedSopClassUid, affectedSopInstanceUid, dataSet }: CStoreRequest): Promise<StoredInstance> {
    const bytes = await dataSet.buffer(Math.max(0, this.#maximumBytes - this.#usedBytes)).catch((error: unknown) => {
      if (error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_DS_TOO_LARGE') throw new StatusError(StorageStatus.OutOfResources)
      throw error
    })
    const attributes = withoutBulkData(await dataSet.dataset())
    if (attributes['SOPClassUID'] !== affectedSopClassUid || attributes['SOPInstanceUID'] !== affectedSopInstanceUid) {
      throw new StatusError(StorageStatus.DataSetMismatch, { offendingElements: [0x0008_0016, 0x0008_0018] })
    }
    const instance: StoredInstance = {
      sopClassUid: affectedSopClassUid,
      sopInstanceUid: affectedSopInstanceUid,
      transferSyntaxUid: dataSet.transferSyntaxUid,
      // A copy: what is given to the framework belongs to it.
      bytes: () => [Buffer.from(bytes)],
      attributes,
    }
    const earlier = this.#instances.get(affectedSopInstanceUid)
    const cost = bytes.length + OVERHEAD_BYTES + sizeOf(attributes)
    const usedBytes = this.#usedBytes + cost - (earlier?.cost ?? 0)
    // Others have come while this one was read.
    if (usedBytes > this.#maximumBytes) throw new StatusError(StorageStatus.OutOfResources)
    this.#usedBytes = usedBytes
    this.#instances.set(affectedSopInstanceUid, { instance, cost })
    return instance
  }

  list(): StoredInstance[] {
    return [...this.#instances.values()].map(({ instance }) => instance)
  }
}

/** Of attributes about, in memory: a deflated data set may have a thousand times the bytes that it came in. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 2 * value.length
  if (typeof value !== 'object' || value === null) return 8
  return Object.values(value).reduce<number>((sum, one) => sum + sizeOf(one), 64)
}

function withoutBulkData(dataset: DataSet): DataSet {
  const isBulk = (value: unknown): boolean => value instanceof ArrayBuffer || (Array.isArray(value) && value.some(isBulk))
  return Object.fromEntries(Object.entries(dataset).filter(([, value]) => !isBulk(value)))
}
