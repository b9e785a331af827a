import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Logger } from '@dicomtap/framework'

export interface WatchedFileOptions<T> {
  readonly path: string
  /** For messages: `the file of users`. */
  readonly what: string
  /** What to do when there is none. */
  readonly whenAbsent?: string
  readonly maximumBytes: number
  /** Throws an error whose message says what is wrong, without secrets. */
  readonly parse: (text: string) => T
  /** Told of each version that was read. */
  readonly onRead?: (stats: Stats) => void
  readonly log: Logger
}

/**
 * A file whose content is read again when it changed. A change that cannot be used is logged once, and the
 * last good content holds: a slip of the editor must not lock everybody out.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>
  #content: T | undefined
  #version: string | undefined
  #checking: Promise<void> | undefined

  constructor(options: WatchedFileOptions<T>) {
    this.#options = options
  }

  /** Reads it now. @throws an Error of one line: the path, and what is wrong. */
  async load(): Promise<T> {
    const { path, parse, onRead } = this.#options
    const { text, stats } = await this.#read()
    // Seen is seen: the same wrong version is not read for every association.
    this.#version = versionOf(stats)
    try {
      this.#content = parse(text)
    } catch (cause) {
      throw new Error(`${path}: ${(cause as Error).message}`, { cause })
    }
    onRead?.(stats)
    return this.#content
  }

  /** The content, read again when the file changed. `load` must have succeeded before. */
  async current(): Promise<T> {
    this.#checking ??= this.#refresh().finally(() => (this.#checking = undefined))
    await this.#checking
    if (this.#content === undefined) throw new Error(`${this.#options.path} was not loaded`)
    return this.#content
  }

  async #refresh(): Promise<void> {
    const { path, what, log } = this.#options
    const version = await stat(path).then(versionOf, () => 'absent')
    if (version === this.#version) return
    this.#version = version
    try {
      await this.load()
      log.info(`${what} changed and was read again`, { file: path })
    } catch (error) {
      log.error(`${what} changed and cannot be used; what it held before still holds`, { reason: (error as Error).message })
    }
  }

  async #read(): Promise<{ text: string; stats: Stats }> {
    const { path, what, whenAbsent, maximumBytes } = this.#options
    try {
      const file = await open(path)
      try {
        const stats = await file.stat()
        if (!stats.isFile()) throw new Error('it is no file')
        if (stats.size > maximumBytes) throw new Error(`it is larger than ${maximumBytes} bytes`)
        return { text: await file.readFile('utf8'), stats }
      } finally {
        await file.close()
      }
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message
      const remedy = reason === 'ENOENT' && whenAbsent !== undefined ? `: ${whenAbsent}` : ''
      throw new Error(`${what} ${path} cannot be read (${reason})${remedy}`, { cause })
    }
  }
}

function versionOf({ mtimeMs, ctimeMs, size, ino }: Stats): string {
  return [mtimeMs, ctimeMs, size, ino].join(' ')
}
