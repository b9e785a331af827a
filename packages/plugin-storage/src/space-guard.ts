import type { FileSystem } from './file-system.ts'

const RECHECK_MS = 1000
const STALE_MS = 10_000
const RECHECK_BYTES = 32 * 1024 * 1024

export interface SpaceGuardOptions {
  readonly fileSystem: FileSystem
  readonly root: string
  readonly minimumFreeBytes: number | undefined
  /** Bytes that the storage folder may hold. */
  readonly quotaBytes: number | undefined
}

/**
 * Says whether there is room. Free space is asked of the system about once a second or every 32 MiB, and
 * estimated in between by what was written since, so that a small object costs no call.
 */
export class SpaceGuard {
  readonly #options: SpaceGuardOptions
  #freeBytes = Number.POSITIVE_INFINITY
  #checkedAtMs = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined
  #bytesSinceCheck = 0
  #storedBytes = 0
  #unfinishedBytes = 0
  #storedWhileCounting = 0

  constructor(options: SpaceGuardOptions) {
    this.#options = options
  }

  /** What the storage folder holds, as far as it was counted. */
  get storedBytes(): number {
    return this.#storedBytes
  }

  /** Before an object: resolves when what is known is recent enough; undefined when it is already. */
  admit(): Promise<void> | undefined {
    if (this.#options.minimumFreeBytes === undefined) return undefined
    const ageMs = performance.now() - this.#checkedAtMs
    if (ageMs < RECHECK_MS && this.#bytesSinceCheck < RECHECK_BYTES) return undefined
    const checking = this.#check()
    // Of a full disk, whether it still is.
    return ageMs > STALE_MS || this.isFull(0) ? checking : undefined
  }

  /** True while there is no room for `bytes` more. */
  isFull(bytes: number): boolean {
    const { minimumFreeBytes } = this.#options
    if (minimumFreeBytes !== undefined && this.#freeBytes - this.#bytesSinceCheck - bytes < minimumFreeBytes) return true
    return this.isOverQuota(bytes)
  }

  isOverQuota(bytes: number): boolean {
    const { quotaBytes } = this.#options
    return quotaBytes !== undefined && this.#storedBytes + this.#unfinishedBytes + bytes > quotaBytes
  }

  /** Bytes of an unfinished object are on their way to the disk. */
  reserve(bytes: number): void {
    this.#unfinishedBytes += bytes
    this.#bytesSinceCheck += bytes
    if (this.#bytesSinceCheck >= RECHECK_BYTES && this.#options.minimumFreeBytes !== undefined) void this.#check()
  }

  /** The object is finished one way or the other: the folder holds `storedBytes` more, or less when negative. */
  settle(reservedBytes: number, storedBytes: number): void {
    this.#unfinishedBytes -= reservedBytes
    this.#storedBytes += storedBytes
    // What is gone now may or may not have been counted: rather too much for a while than too little.
    this.#storedWhileCounting += Math.max(0, storedBytes)
  }

  /** Counts the folder anew with `count`; what is stored meanwhile is added, though the count may have seen it. */
  async recount(count: () => Promise<number>): Promise<void> {
    this.#storedWhileCounting = 0
    const bytes = await count()
    this.#storedBytes = bytes + this.#storedWhileCounting
  }

  #check(): Promise<void> {
    this.#checking ??= this.#readFreeBytes().finally(() => (this.#checking = undefined))
    return this.#checking
  }

  async #readFreeBytes(): Promise<void> {
    try {
      const freeBytes = await this.#options.fileSystem.freeBytes(this.#options.root)
      this.#freeBytes = freeBytes
      this.#bytesSinceCheck = 0
    } catch {
      // Cannot be told: the write itself will.
      this.#freeBytes = Number.POSITIVE_INFINITY
    }
    this.#checkedAtMs = performance.now()
  }
}
