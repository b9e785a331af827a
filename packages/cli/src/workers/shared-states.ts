import { DicomtapError, makeSharedObject } from '@dicomtap/framework'
import type { Logger, SharedObject } from '@dicomtap/framework'

type Methods = Record<string, (caller: string, ...args: readonly unknown[]) => unknown>

/** The states that the workers share, in the primary. */
export class SharedStates {
  readonly #log: Logger
  readonly #objects = new Map<string, Promise<SharedObject>>()
  /** The same, those that are there already: most calls need not wait. */
  readonly #made = new Map<string, SharedObject>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** The first who asks makes it. @throws what its module throws; the next one may try again. */
  async open(name: string, module: string, options: unknown): Promise<void> {
    let making = this.#objects.get(name)
    if (making === undefined) {
      making = makeSharedObject(module, options, { log: this.#log.child({ state: name }, 'plugin') })
      this.#objects.set(name, making)
    }
    try {
      this.#made.set(name, await making)
    } catch (error) {
      if (this.#objects.get(name) === making) this.#objects.delete(name)
      throw error
    }
  }

  call(caller: string, name: string, method: string, args: readonly unknown[]): unknown {
    const object = this.#made.get(name) as unknown as Methods | undefined
    const called = object?.[method]
    if (object === undefined || called === undefined) {
      throw new DicomtapError('DICOMTAP_ERR_NET_PROCESS', `There is no shared state ${name} with a method ${method}`)
    }
    return called.call(object, caller, ...args)
  }

  /** That process is gone, with what it held. */
  left(caller: string): void {
    for (const object of this.#made.values()) object.left?.(caller)
  }

  async dispose(): Promise<void> {
    await Promise.allSettled([...this.#made.values()].map(async (object) => object.dispose?.()))
  }
}
