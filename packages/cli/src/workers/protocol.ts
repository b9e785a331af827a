import type { LogRecord, SharedListenerOptions } from '@dicomtap/framework'
import type { Problem } from '../output/report-error.ts'

/** Set for the processes that `start` forks, with their number. */
export const WORKER_VARIABLE = 'DICOMTAP_WORKER'

/** What a worker wants an answer to. */
export type Question =
  | { readonly ask: 'open'; readonly name: string; readonly module: string; readonly options: unknown }
  | { readonly ask: 'state'; readonly name: string; readonly method: string; readonly args: readonly unknown[] }
  /** The listeners of each worker are counted from 0, in the order in which it opens them. */
  | { readonly ask: 'listen'; readonly listener: number; readonly options: SharedListenerOptions }

export interface ReadyDetails {
  readonly servers: readonly { readonly aeTitle: string; readonly host: string; readonly port: number }[]
  readonly plugins: number
}

export type ToPrimary =
  /** From now on it hears what the primary sends. */
  | { readonly type: 'hearing' }
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  | { readonly type: 'tell'; readonly name: string; readonly method: string; readonly args: readonly unknown[] }
  | { readonly type: 'ready'; readonly details: ReadyDetails }
  /** It did not start. */
  | { readonly type: 'failed'; readonly problems: readonly Problem[]; readonly detail: string | undefined }
  /** It closes of itself, after an error that nobody caught. */
  | { readonly type: 'failing' }
  /** Connections that came since the start, and those that are here. */
  | { readonly type: 'left'; readonly received: number; readonly connections: number }
  | { readonly type: 'stopListening'; readonly listener: number }
  | { readonly type: 'counted'; readonly associations: number }
  | { readonly type: 'reloaded'; readonly problems: readonly Problem[] }

export type ToWorker =
  /** With a socket. */
  | { readonly type: 'connection'; readonly listener: number }
  | { readonly type: 'answer'; readonly id: number; readonly value?: unknown; readonly problems?: readonly Problem[] }
  /** How many associations are waited for? */
  | { readonly type: 'count' }
  | { readonly type: 'close'; readonly deadlineMs: number | undefined }
  | { readonly type: 'abort' }
  /** `check` reads the configuration, `apply` makes what was read hold. */
  | { readonly type: 'reload'; readonly step: 'check' | 'apply' }
  | { readonly type: 'log'; readonly record: LogRecord }
