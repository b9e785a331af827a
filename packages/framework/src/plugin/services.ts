import { DicomtapError } from '../errors/index.ts'
import { suggestion } from '../near-names.ts'

interface Provided {
  readonly plugin: string
  readonly service: unknown
}

/** The services that the plugins of one ApplicationEntity give each other. */
export class ServiceRegistry {
  readonly #services = new Map<string, Provided>()

  provide(plugin: string, name: string, service: unknown): void {
    const taken = this.#services.get(name)
    if (taken !== undefined) {
      const message = `Plugin '${plugin}' provides the service '${name}', which plugin '${taken.plugin}' provides already`
      throw new DicomtapError('DICOMTAP_ERR_PLG_SERVICE', message)
    }
    this.#services.set(name, { plugin, service })
  }

  inject(plugin: string, name: string): unknown {
    const provided = this.#services.get(name)
    if (provided !== undefined) return provided.service
    const message = `Plugin '${plugin}' needs the service '${name}', which no plugin before it provides`
    throw new DicomtapError('DICOMTAP_ERR_PLG_SERVICE', `${message}${suggestion(name, this.#services.keys())}. ${this.#summary()}`)
  }

  injectOptional(name: string): unknown {
    return this.#services.get(name)?.service
  }

  #summary(): string {
    if (this.#services.size === 0) return 'No service is provided so far: add the plugin that does, or list it in requires or after'
    const list = [...this.#services].map(([name, { plugin }]) => `'${name}' by ${plugin}`)
    return `Provided so far: ${list.join(', ')}`
  }
}
