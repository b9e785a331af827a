import { statSync } from 'node:fs'
import { join } from 'node:path'
import { buildCatalogue } from '../../model/catalogue.ts'
import { HeadDescriber } from '../../model/head-describer.ts'
import type { IndexedInstance } from '../../model/instance.ts'
import { LATE_MS } from '../arrivals/limits.ts'
import type { ArrivedHead } from '../instance-index.ts'
import type { StorageFolder } from './messages.ts'

/** Describes what arrived, in a thread. */
export class ArrivedHeads {
  readonly #root: string
  readonly #describer: HeadDescriber

  private constructor(root: string, describer: HeadDescriber) {
    this.#root = root
    this.#describer = describer
  }

  static async load({ root, attributes }: StorageFolder): Promise<ArrivedHeads> {
    return new ArrivedHeads(root, await HeadDescriber.load(await buildCatalogue(attributes)))
  }

  /** Undefined where the file has to be read: the beginning does not tell, or is late, or of one that was replaced or removed. */
  describe(head: ArrivedHead): IndexedInstance | undefined {
    if (Date.now() - head.arrivedAtMs > LATE_MS) return undefined
    const stats = statSync(join(this.#root, head.relativePath), { throwIfNoEntry: false })
    const storedAtMs = Math.floor(stats?.mtimeMs ?? Number.POSITIVE_INFINITY)
    return stats === undefined || storedAtMs > head.arrivedAtMs ? undefined : this.#describer.describe(head, { sizeBytes: stats.size, storedAtMs })
  }
}
