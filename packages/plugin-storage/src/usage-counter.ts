import path from 'node:path'
import type { FileSystem } from './file-system.ts'
import { RESERVED_FOLDER } from './path-template.ts'
import type { SpaceGuard } from './space-guard.ts'

const RECOUNT_MS = 15 * 60_000
const RECOUNT_WHEN_FULL_MS = 60_000

/**
 * Keeps the guard's idea of what the storage folder holds in line with the folder: other processes store
 * into it and operators delete from it. Counts at the start, every quarter of an hour, and once a minute
 * while the quota is used up.
 */
export class UsageCounter {
  readonly #fileSystem: FileSystem
  readonly #root: string
  readonly #guard: SpaceGuard
  #timer: NodeJS.Timeout | undefined
  #counting: Promise<void> | undefined
  #countedAtMs = Number.NEGATIVE_INFINITY
  #isStopped = false

  constructor(fileSystem: FileSystem, root: string, guard: SpaceGuard) {
    this.#fileSystem = fileSystem
    this.#root = root
    this.#guard = guard
  }

  /** Resolves when the first count is done. */
  start(): Promise<void> {
    this.#timer = setInterval(() => void this.#count(), RECOUNT_MS)
    this.#timer.unref()
    return this.#count()
  }

  /** The quota is used up: perhaps no longer. Undefined when it was counted a moment ago. */
  recountWhenFull(): Promise<void> | undefined {
    return performance.now() - this.#countedAtMs < RECOUNT_WHEN_FULL_MS ? undefined : this.#count()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#counting
  }

  #count(): Promise<void> {
    this.#counting ??= this.#guard
      .recount(() => this.#countFolder(this.#root))
      .catch(() => undefined)
      .finally(() => {
        this.#countedAtMs = performance.now()
        this.#counting = undefined
      })
    return this.#counting
  }

  // One call at a time, so that objects on their way to the disk do not wait behind thousands of them.
  async #countFolder(folder: string): Promise<number> {
    let bytes = 0
    for (const { name, isDirectory, isFile } of await this.#fileSystem.readFolder(folder).catch(() => [])) {
      if (this.#isStopped) return bytes
      const entry = path.join(folder, name)
      if (isDirectory && (folder !== this.#root || name !== RESERVED_FOLDER)) bytes += await this.#countFolder(entry)
      if (isFile) bytes += await this.#fileSystem.stat(entry).then((status) => status.sizeBytes, () => 0)
    }
    return bytes
  }
}
