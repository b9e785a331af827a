import { isLocalFileSystemType, StallWatch } from '@dicomtap/framework'
import { statSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'

/** Size and time of files: at once where they are on a disk of this machine, and while it is quick. */
export class QuickStat {
  readonly #root: string
  readonly #watch = new StallWatch()
  #isLocal: boolean | undefined

  constructor(root: string) {
    this.#root = root
  }

  /** @throws what the system throws */
  of(path: string): { readonly sizeBytes: number; readonly modifiedAtMs: number } | Promise<{ readonly sizeBytes: number; readonly modifiedAtMs: number }> {
    const startMs = performance.now()
    if (this.#isLocal !== true || !this.#watch.isQuick(startMs)) return this.#ofByThread(path)
    const { size: sizeBytes, mtimeMs: modifiedAtMs } = statSync(path)
    this.#watch.report(startMs, performance.now())
    return { sizeBytes, modifiedAtMs }
  }

  async #ofByThread(path: string): Promise<{ readonly sizeBytes: number; readonly modifiedAtMs: number }> {
    const { size: sizeBytes, mtimeMs: modifiedAtMs } = await stat(path)
    this.#isLocal ??= await statfs(this.#root).then(({ type }) => isLocalFileSystemType(type), () => false)
    return { sizeBytes, modifiedAtMs }
  }
}
