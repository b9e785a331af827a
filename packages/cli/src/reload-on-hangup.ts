import type { Logger } from '@dicomtap/framework'
import { problemsOf } from './output/report-error.ts'

/** What SIGHUP reloads. */
export interface Reloadable {
  readonly log: Pick<Logger, 'info' | 'error'>
  readonly isClosing: boolean
  /** @throws what is wrong with the configuration; what held before holds then. */
  reload(): Promise<void>
}

/**
 * SIGHUP: a configuration that is wrong is reported, and the one that runs stays. Before the server has
 * started there is nothing to reload, but the signal must not end it. Windows has no such signal.
 */
export function reloadOnHangup(): { started(target: Reloadable): void } {
  let target: Reloadable | undefined
  let running: Promise<void> | undefined
  const reload = async ({ log }: Reloadable): Promise<void> => {
    try {
      await target?.reload()
      log.info('configuration reloaded')
    } catch (error) {
      for (const { code, message } of problemsOf(error)) log.error(`not reloaded: ${message}`, { code })
    }
  }
  if (process.platform !== 'win32') {
    process.on('SIGHUP', () => {
      if (target === undefined || target.isClosing) return
      running ??= reload(target).finally(() => (running = undefined))
    })
  }
  return { started: (started) => (target = started) }
}
