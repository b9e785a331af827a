import { DEFAULT_LIMITS } from '@dicomtap/framework'
import type { ResolvedConfig } from '@dicomtap/framework'
import { loadConfig } from '../config/load-config.ts'
import { note, print, visible } from '../output/terminal.ts'
import { readyLine } from '../ready-line.ts'
import type { Reloadable } from '../reload-on-hangup.ts'
import { CLOSE_MARGIN_MS } from '../stop-on-signals.ts'
import type { Stop } from '../stop-on-signals.ts'
import { catchStrayErrors } from '../stray-errors.ts'
import { Fleet } from './fleet.ts'
import { primaryLog } from './primary-log.ts'

export interface PrimaryOptions {
  readonly workers: number
  readonly config: ResolvedConfig
  readonly file: string
  readonly stop: Stop
  readonly hangup: { started(target: Reloadable): void }
  readonly isVerbose: boolean
}

/**
 * Leads the processes of a server: has the listening sockets and what they share, gives them connections, replaces those
 * that end. It runs no plugin and reads no byte of a peer. The answer is the exit code.
 */
export async function runPrimary({ workers, config, file, stop, hangup, isVerbose }: PrimaryOptions): Promise<number> {
  const closeDeadlineMs = config.limits?.closeDeadlineMs ?? DEFAULT_LIMITS.closeDeadlineMs
  const log = primaryLog(config.logLevel, (record) => fleet.log(record))
  const fleet = new Fleet({
    workers,
    log,
    closeDeadlineMs,
    closeMarginMs: CLOSE_MARGIN_MS,
    gaveUp: (message) => {
      log.error(message, { code: 'DICOMTAP_ERR_NET_PROCESS' })
      note(`error DICOMTAP_ERR_NET_PROCESS: ${message}`)
      stop.fail(closeDeadlineMs)
    },
  })
  catchStrayErrors({ log, plugins: () => [] }, stop)
  // A worker that waits for something that never comes must not keep a signal from ending it all.
  try {
    const details = await fleet.start()
    stop.started({
      log,
      close: (signal, deadlineMs) => fleet.close(signal, deadlineMs),
      abort: () => fleet.abort(),
      isIdle: false,
    })
    hangup.started({
      log,
      get isClosing() {
        return fleet.isClosing
      },
      async reload() {
        await loadConfig({ file })
        await fleet.reload()
      },
    })
    print(readyLine({ ...details, workers }, config, file))
  } catch (error) {
    if (isVerbose && fleet.failureDetail !== undefined) note(visible(fleet.failureDetail))
    await fleet.kill()
    throw error
  }
  return stop.exitCode
}
