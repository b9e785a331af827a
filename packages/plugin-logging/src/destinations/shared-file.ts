import { DicomtapError } from '@dicomtap/framework'
import type { SharedState, SharedStateContext } from '@dicomtap/framework'
import type { FileOptions } from '../options.ts'
import { withinDeadline } from './within-deadline.ts'
import { MAXIMUM_BUFFERED_BYTES } from './line-target.ts'
import type { LineTarget } from './line-target.ts'
import { rotatingFileTarget } from './rotating-file.ts'

/** Lines of so long go to the process that writes the file together. */
const GATHER_MS = 10
/** So many characters at once: rotation is between them. */
const BATCH_CHARACTERS = 65_536
/** The file takes no lines: when it is tried again. */
const RETRY_MS = 1_000

/** The log file of all processes of a server: one of them writes and rotates it. */
export class SharedFile {
  readonly #target: LineTarget

  constructor(target: LineTarget) {
    this.#target = target
  }

  /** @returns how many it took, the first ones. */
  write(_caller: string, lines: readonly string[]): number {
    let taken = 0
    while (taken < lines.length && this.#target.write(lines[taken] ?? '')) taken += 1
    return taken
  }

  dispose(): Promise<void> {
    return this.#target.close()
  }
}

export async function createSharedState(options: FileOptions, { log }: SharedStateContext): Promise<SharedFile> {
  const onError = (error: Error): void => {
    const { code } = error as NodeJS.ErrnoException
    log.error(`the log does not reach ${options.path}: ${code ?? error.name}`)
  }
  return new SharedFile(await openFile(options, onError))
}

/** @throws DICOMTAP_ERR_PLG_OPTIONS */
export async function openFile(options: FileOptions, onError: (error: Error) => void): Promise<LineTarget> {
  try {
    return await rotatingFileTarget({ ...options, onError })
  } catch (cause) {
    const { code, message: text } = cause as { code?: unknown; message?: unknown }
    const reason = String(code ?? text)
    const message = `Plugin 'logging': file.path: cannot write to '${options.path}' (${reason}): give a folder this user may write to`
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', message, { cause })
  }
}

/** The file, for a process that does not write it itself. */
export function sharedFileTarget(file: SharedState<SharedFile>, onError: (error: Error) => void): LineTarget {
  const lines: string[] = []
  let waitingCharacters = 0
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined
  let hasFailed = false

  const send = async (): Promise<boolean> => {
    let count = 0
    for (let characters = 0; count < lines.length && characters < BATCH_CHARACTERS; count++) characters += lines[count]?.length ?? 0
    try {
      const taken = await file.call('write', lines.slice(0, count))
      for (const line of lines.splice(0, taken)) waitingCharacters -= line.length
      hasFailed = false
      return taken === count
    } catch (error) {
      // It may have been written: a line twice is better than none.
      if (!hasFailed) onError(error as Error)
      hasFailed = true
      return false
    }
  }
  const flush = async (): Promise<void> => {
    let retryMs = 0
    while (lines.length > 0 && retryMs === 0) retryMs = (await send()) ? 0 : RETRY_MS
    sending = undefined
    if (lines.length > 0) later(retryMs)
  }
  const later = (ms: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      sending ??= flush()
    }, ms)
  }
  const isWritable = (): boolean => waitingCharacters < MAXIMUM_BUFFERED_BYTES
  return {
    isWritable,
    write(line) {
      if (!isWritable()) return false
      lines.push(line)
      waitingCharacters += line.length
      if (sending === undefined) later(GATHER_MS)
      return true
    },
    async close() {
      clearTimeout(timer)
      await withinDeadline((done) => void (sending ?? Promise.resolve()).then(flush).then(done))
      clearTimeout(timer)
    },
  }
}
