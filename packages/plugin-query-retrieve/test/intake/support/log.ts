import type { Logger } from '@dicomtap/framework'

export function silentLog(): Logger {
  const nothing = (): void => {}
  const log: Logger = { error: nothing, warn: nothing, info: nothing, debug: nothing, trace: nothing, child: () => log, isEnabled: () => false }
  return log
}
