import { DicomtapError, StatusError, StorageStatus } from '@dicomtap/framework'
import type { CStoreRequest, DataSet, InstanceToSend } from '@dicomtap/framework'

/** An instance as it was sent, and its attributes without pixels and other bulk data. */
export interface StoredInstance extends InstanceToSend {
  readonly attributes: DataSet
}

/** Composite instances in memory, for examples that give back what was stored. */
export class InstanceStore {
  readonly #maximumBytes: number
  readonly #instances = new Map<string, { readonly instance: StoredInstance; readonly bytes: Buffer }>()
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
    this.#usedBytes += bytes.length - (this.#instances.get(affectedSopInstanceUid)?.bytes.length ?? 0)
    this.#instances.set(affectedSopInstanceUid, { instance, bytes })
    return instance
  }

  list(): StoredInstance[] {
    return [...this.#instances.values()].map(({ instance }) => instance)
  }
}

function withoutBulkData(dataset: DataSet): DataSet {
  const isBulk = (value: unknown): boolean => value instanceof ArrayBuffer || (Array.isArray(value) && value.some(isBulk))
  return Object.fromEntries(Object.entries(dataset).filter(([, value]) => !isBulk(value)))
}
