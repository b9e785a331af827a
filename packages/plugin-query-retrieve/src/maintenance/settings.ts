import { z } from 'zod'
import type { InstanceIndex } from '../database/instance-index.ts'

// What intake and maintenance keep among the settings of the index.

/** The fingerprint of the attributes that rows were written with. */
const ATTRIBUTES = 'attributes'
const LAST_SCAN = 'scan.last'
const SCANNER = 'scan.running'
const REBUILD = 'rebuild'

export interface LastScan {
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly files: number
  readonly added: number
  readonly removed: number
  readonly unusable: number
  /** Rows without a file that were left because they are too many. */
  readonly left: number
}

const lastScan: z.ZodType<LastScan> = z.object({
  startedAtMs: z.number(),
  finishedAtMs: z.number(),
  files: z.number(),
  added: z.number(),
  removed: z.number(),
  unusable: z.number(),
  left: z.number(),
})

/** Who scans, and when it last said so. */
export interface Scanner {
  readonly host: string
  readonly pid: number
  /** Tells two of one process apart. */
  readonly token: string
  readonly atMs: number
}

const scanner: z.ZodType<Scanner> = z.object({ host: z.string(), pid: z.number(), token: z.string(), atMs: z.number() })

/** A rebuild that has not come to its end. */
export interface RebuildPosition {
  readonly folder: string
  readonly fingerprint: string
  /** All files up to this one are done. */
  readonly after: string
  readonly startedAtMs: number
  readonly files: number
  readonly unusable: number
}

const rebuildPosition: z.ZodType<RebuildPosition> = z.object({
  folder: z.string(),
  fingerprint: z.string(),
  after: z.string(),
  startedAtMs: z.number(),
  files: z.number(),
  unusable: z.number(),
})

/** The settings of the index that are about its content. A value that cannot be read counts as absent. */
export class IndexSettings {
  readonly #index: InstanceIndex

  constructor(index: InstanceIndex) {
    this.#index = index
  }

  fingerprint(): Promise<string | undefined> {
    return this.#index.setting(ATTRIBUTES)
  }

  setFingerprint(fingerprint: string): Promise<void> {
    return this.#index.setSetting(ATTRIBUTES, fingerprint)
  }

  lastScan(): Promise<LastScan | undefined> {
    return this.#read(LAST_SCAN, lastScan)
  }

  setLastScan(value: LastScan): Promise<void> {
    return this.#write(LAST_SCAN, value)
  }

  scanner(): Promise<Scanner | undefined> {
    return this.#read(SCANNER, scanner)
  }

  setScanner(value: Scanner | undefined): Promise<void> {
    return this.#write(SCANNER, value)
  }

  rebuild(): Promise<RebuildPosition | undefined> {
    return this.#read(REBUILD, rebuildPosition)
  }

  setRebuild(value: RebuildPosition | undefined): Promise<void> {
    return this.#write(REBUILD, value)
  }

  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.#index.setting(name)
    if (text === undefined) return undefined
    try {
      return schema.safeParse(JSON.parse(text)).data
    } catch {
      return undefined
    }
  }

  #write(name: string, value: unknown): Promise<void> {
    return this.#index.setSetting(name, value === undefined ? undefined : JSON.stringify(value))
  }
}
