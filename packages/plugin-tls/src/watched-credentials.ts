import { stat } from 'node:fs/promises'
import type { Logger } from '@dicomtap/framework'
import type { Credentials } from './credentials.ts'

export interface WatchedCredentialsOptions {
  /** The option that they stand in: `listen[1].tls`. */
  readonly where: string
  readonly files: readonly string[]
  load(): Promise<Credentials>
  readonly log: Logger
}

/**
 * Certificates, keys, CAs and lists that are read again when their files changed. What cannot be used is logged,
 * and what was there before stays.
 */
export class WatchedCredentials {
  readonly #options: WatchedCredentialsOptions
  readonly #listeners: ((credentials: Credentials) => void)[] = []
  #current: Credentials
  #version: string
  /** A version that could not be used. A second look is given to it before it is reported: it may be half written. */
  #badVersion: string | undefined
  #checking: Promise<void> | undefined

  /** @throws DICOMTAP_ERR_TLS_CREDENTIALS, DICOMTAP_ERR_TLS_PROFILE */
  static async open(options: WatchedCredentialsOptions): Promise<WatchedCredentials> {
    // Taken before the files are read: what changes in between is seen at the next look.
    const version = await versionOf(options.files)
    return new WatchedCredentials(options, version, await options.load())
  }

  private constructor(options: WatchedCredentialsOptions, version: string, current: Credentials) {
    this.#options = options
    this.#version = version
    this.#current = current
  }

  get current(): Credentials {
    return this.#current
  }

  /** Called with each new version that can be used. */
  onChange(listener: (credentials: Credentials) => void): void {
    this.#listeners.push(listener)
  }

  /** Reads the files again if they changed. @param isAsked somebody waits for it: what is wrong is told at once */
  async check(isAsked = false): Promise<void> {
    // One that is under way may have looked before the change, and keeps quiet about what is wrong.
    if (isAsked) await this.#checking
    this.#checking ??= this.#check(isAsked).finally(() => (this.#checking = undefined))
    await this.#checking
  }

  async #check(isAsked: boolean): Promise<void> {
    const { where, files, load, log } = this.#options
    const version = await versionOf(files)
    if (version === this.#version && !isAsked) return
    try {
      const credentials = await load()
      for (const listener of this.#listeners) listener(credentials)
      const hasChanged = version !== this.#version
      this.#current = credentials
      this.#version = version
      this.#badVersion = undefined
      if (!hasChanged) return
      log.info('certificates changed and are used from now on; associations that are open go on', { where })
      for (const warning of credentials.warnings) log.warn(warning)
    } catch (error) {
      if (isAsked || this.#badVersion === version) {
        this.#version = version
        log.error('certificates changed and cannot be used; the ones before stay', { where, reason: (error as Error).message })
      }
      this.#badVersion = version
    }
  }
}

/** Follows links, so that the swap of a folder behind one is a change; without fs.watch, which network file systems do not have. */
async function versionOf(files: readonly string[]): Promise<string> {
  const versions = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mtimeMs, ctimeMs, size, ino, dev }) => [mtimeMs, ctimeMs, size, ino, dev].join(' '),
        (error: unknown) => String((error as NodeJS.ErrnoException).code),
      ),
    ),
  )
  return versions.join('\n')
}
