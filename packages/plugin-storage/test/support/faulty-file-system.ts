import { type FileSystem, nodeFileSystem } from '../../dist/file-system.js'

export type Call = Exclude<keyof FileSystem, 'local'>

interface Fault {
  readonly call: Call
  readonly act: (args: readonly unknown[]) => Promise<void> | void
  skips: number
  times: number
}

/** An error as the system gives it. */
export function systemError(code: string, syscall: string, path = '/somewhere'): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made by a test, ${syscall} '${path}'`), { code, syscall, path })
}

/** The real file system, with calls that fail or hang on demand and a record of all of them. */
export class FaultyFileSystem {
  readonly calls: string[] = []
  readonly fileSystem: FileSystem
  #faults: Fault[] = []
  readonly #watchers = new Set<() => void>()

  constructor() {
    const entries = (Object.keys(nodeFileSystem) as Call[]).map((call) => {
      const real = nodeFileSystem[call] as (...args: unknown[]) => Promise<unknown>
      const faulty = async (...args: unknown[]): Promise<unknown> => {
        this.calls.push(`${call} ${args.filter((arg) => typeof arg === 'string').join(' ')}`.trim())
        for (const look of this.#watchers) look()
        await this.#fault(call, args)
        return real(...args)
      }
      return [call, faulty]
    })
    this.fileSystem = Object.fromEntries(entries) as FileSystem
  }

  /** The next `times` calls of that name, after `skips`, fail. */
  fail(call: Call, code: string, { times = Infinity, skips = 0 } = {}): void {
    this.#faults.push({
      call,
      skips,
      times,
      act: () => {
        throw systemError(code, call)
      },
    })
  }

  /** Runs `act` before the next call of that name: it may wait, look around or throw. */
  before(call: Call, act: (args: readonly unknown[]) => Promise<void> | void): void {
    this.#faults.push({ call, act, skips: 0, times: 1 })
  }

  /** Resolves when what was called is as `isSo` says; now, when it is already. */
  until(isSo: (calls: readonly string[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo(this.calls)) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  heal(): void {
    this.#faults = []
  }

  async #fault(call: Call, args: readonly unknown[]): Promise<void> {
    for (const fault of this.#faults) {
      if (fault.call !== call || fault.times <= 0) continue
      if (fault.skips > 0) fault.skips -= 1
      else {
        fault.times -= 1
        await fault.act(args)
        return
      }
    }
  }
}
