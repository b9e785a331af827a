import type { LogArea } from '@dicomtap/framework'
import type { Threshold } from './levels.ts'

/** What the plugin offers to others: `api.inject('logging')`. */
export interface LoggingService {
  /** Changes what is written from now on: in one area, or without one in all. @throws DICOMTAP_ERR_PLG_OPTIONS for other names. */
  setLevel(level: Threshold, area?: LogArea): void
  /** What is written now, by area. */
  levels(): Record<LogArea, Threshold>
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    logging: LoggingService
  }
}
