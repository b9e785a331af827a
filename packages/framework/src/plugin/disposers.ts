import { codeOf, DicomtapError, harmless, messageOf } from '../errors/index.ts'

type Dispose = () => void | Promise<void>

interface Disposer {
  readonly plugin: string
  readonly dispose: Dispose
}

/** When the others have used up the time, one that is left has so long. */
const LEAST_MS = 500

/** What plugins registered to be run at close, over all plugins. */
export class Disposers {
  readonly #disposers: Disposer[] = []
  readonly #limitMs: number
  readonly #onLateError: (error: Error) => void
  #running: Promise<Error[]> | undefined

  /** @param limitMs for all of them together */
  constructor(limitMs: number, onLateError: (error: Error) => void) {
    this.#limitMs = limitMs
    this.#onLateError = onLateError
  }

  /** After the close, of a plugin whose start took too long, it is run at once. */
  add(plugin: string, dispose: Dispose): void {
    const disposer = { plugin, dispose }
    if (this.#running === undefined) this.#disposers.push(disposer)
    else void run(disposer, this.#limitMs).then((error) => error !== undefined && this.#onLateError(error))
  }

  /** Runs all, last registered first, each awaited; gives back what failed. A second call joins the first. */
  run(): Promise<Error[]> {
    this.#running ??= this.#runAll()
    return this.#running
  }

  async #runAll(): Promise<Error[]> {
    const errors: Error[] = []
    const endsAtMs = performance.now() + this.#limitMs
    for (const disposer of this.#disposers.splice(0).reverse()) {
      const error = await run(disposer, Math.max(LEAST_MS, Math.ceil(endsAtMs - performance.now())))
      if (error !== undefined) errors.push(error)
    }
    return errors
  }
}

async function run({ plugin, dispose }: Disposer, limitMs: number): Promise<Error | undefined> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_resolve, reject) => {
    const message = `Plugin '${plugin}' did not finish its close within ${limitMs} ms: what it holds is left to the end of the process`
    timer = setTimeout(() => reject(new DicomtapError('DICOMTAP_ERR_PLG_TIMEOUT', message)), limitMs)
  })
  try {
    await Promise.race([dispose(), expiry])
    return undefined
  } catch (cause) {
    if (codeOf(cause) === 'DICOMTAP_ERR_PLG_TIMEOUT') return cause as Error
    return new DicomtapError('DICOMTAP_ERR_PLG_FAILED', `Plugin '${plugin}' failed to close: ${messageOf(cause)}`, { cause: harmless(cause) })
  } finally {
    clearTimeout(timer)
  }
}
