import { formatBytes } from '../scu/progress.ts'
import { Refusal } from './refusal.ts'

/** How much a retrieval may bring, whatever the server thinks of it. */
export interface Budget {
  /** One more object. @throws Refusal */
  takeObject(): void
  /** So many more bytes. @throws Refusal */
  takeBytes(count: number): void
  /** Aborted when the first limit is reached: no more should be asked for. */
  readonly reached: AbortSignal
}

/** A server that sends without end must not fill the disk; Infinity is no limit. */
export const DEFAULT_MAXIMUM_BYTES: number = 100 * 1024 ** 3
export const DEFAULT_MAXIMUM_OBJECTS = 100_000

const OUT_OF_RESOURCES = 0xa700

export function createBudget(maximumBytes: number = DEFAULT_MAXIMUM_BYTES, maximumObjects: number = DEFAULT_MAXIMUM_OBJECTS): Budget {
  const controller = new AbortController()
  let bytes = 0
  let objects = 0
  const refuse = (message: string): never => {
    // Said once; what comes after it is refused for the same reason.
    const isFirst = !controller.signal.aborted
    controller.abort()
    throw new Refusal(OUT_OF_RESOURCES, isFirst ? message : '')
  }
  return {
    takeObject() {
      objects += 1
      if (objects > maximumObjects || controller.signal.aborted) refuse(`more than ${maximumObjects} objects: the rest is refused (--max-objects)`)
    },
    takeBytes(count) {
      bytes += count
      if (bytes > maximumBytes) refuse(`more than ${formatBytes(maximumBytes)}: the rest is refused (--max-bytes)`)
    },
    reached: controller.signal,
  }
}
