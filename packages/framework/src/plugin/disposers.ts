import { DicomtapError } from '../errors/index.ts'

type Dispose = () => void | Promise<void>

interface Disposer {
  readonly plugin: string
  readonly dispose: Dispose
}

/** What plugins registered to be run at close, over all plugins. */
export class Disposers {
  readonly #disposers: Disposer[] = []
  readonly #onLateError: (error: Error) => void
  #running: Promise<Error[]> | undefined

  constructor(onLateError: (error: Error) => void) {
    this.#onLateError = onLateError
  }

  /** After the close, of a plugin whose start took too long, it is run at once. */
  add(plugin: string, dispose: Dispose): void {
    const disposer = { plugin, dispose }
    if (this.#running === undefined) this.#disposers.push(disposer)
    else void run(disposer).then((error) => error !== undefined && this.#onLateError(error))
  }

  /** Runs all, last registered first, each awaited; gives back what failed. A second call joins the first. */
  run(): Promise<Error[]> {
    this.#running ??= this.#runAll()
    return this.#running
  }

  async #runAll(): Promise<Error[]> {
    const errors: Error[] = []
    for (const disposer of this.#disposers.splice(0).reverse()) {
      const error = await run(disposer)
      if (error !== undefined) errors.push(error)
    }
    return errors
  }
}

async function run({ plugin, dispose }: Disposer): Promise<Error | undefined> {
  try {
    await dispose()
    return undefined
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new DicomtapError('DICOMTAP_ERR_PLG_FAILED', `Plugin '${plugin}' failed to close: ${reason}`, { cause })
  }
}
