import type { AssociationServer, Logger } from '@dicomtap/framework'
import { filesOf, loadListenerCredentials } from './credentials.ts'
import type { ListenerTlsOptions } from './option-types.ts'
import { listenerSettings } from './options.ts'
import { profileWarning } from './profiles.ts'
import { SecureListener } from './secure-listener.ts'
import type { Upkeep } from './upkeep.ts'
import { WatchedCredentials } from './watched-credentials.ts'

export interface ListenerEnvironment {
  /** What holds where a listener does not say otherwise. */
  readonly shared: ListenerTlsOptions
  resolvePath(path: string): string
  readonly log: Logger
  readonly upkeep: Upkeep
}

/** A listener with TLS, and what its options have as `tls` so that it is found again. */
interface OpenListener {
  readonly tls: ListenerTlsOptions
  readonly listener: SecureListener
}

/** The listeners with TLS. Two with the same options share one. */
export class ListenerRegistry {
  readonly #environment: ListenerEnvironment
  readonly #bySettings = new Map<string, Promise<OpenListener>>()
  readonly #byOptions = new WeakMap<object, SecureListener>()
  readonly #listeners = new Set<SecureListener>()

  constructor(environment: ListenerEnvironment) {
    this.#environment = environment
  }

  /**
   * Reads certificates and keys.
   * @throws DICOMTAP_ERR_CFG_INVALID, DICOMTAP_ERR_TLS_CREDENTIALS, DICOMTAP_ERR_TLS_PROFILE
   */
  open(own: ListenerTlsOptions | true, where: string): Promise<OpenListener> {
    const options = own === true ? {} : own
    const key = JSON.stringify(listenerSettings(options, this.#environment.shared, where))
    const known = this.#bySettings.get(key)
    if (known !== undefined) return known
    const opening = this.#open(options, where)
    this.#bySettings.set(key, opening)
    opening.catch(() => this.#bySettings.delete(key))
    return opening
  }

  of(server: AssociationServer): SecureListener | undefined {
    const { tls } = server.options
    return typeof tls === 'object' && tls !== null ? this.#byOptions.get(tls) : undefined
  }

  dispose(): void {
    for (const listener of this.#listeners) listener.dispose()
  }

  async #open(own: ListenerTlsOptions, where: string): Promise<OpenListener> {
    const { shared, resolvePath, log, upkeep } = this.#environment
    const settings = listenerSettings(own, shared, where)
    const credentials = await WatchedCredentials.open({
      where,
      files: filesOf(settings, resolvePath),
      load: () => loadListenerCredentials(settings, { where, resolvePath }),
      log,
    })
    const warning = profileWarning(settings.profile)
    if (warning !== undefined) upkeep.warn(`${where}: ${warning}`)
    const listener = new SecureListener(settings, credentials, log)
    upkeep.add(credentials)
    this.#listeners.add(listener)
    const tls = Object.freeze({ ...own })
    this.#byOptions.set(tls, listener)
    return { tls, listener }
  }
}
