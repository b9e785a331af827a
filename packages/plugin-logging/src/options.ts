import type { LogArea } from '@dicomtap/framework'
import type TransportStream from 'winston-transport'
import { z } from 'zod'
import type { Threshold } from './levels.ts'

export type Format = 'pretty' | 'json'

/** Rotation of the log file. */
export interface FileOptions {
  readonly path: string
  readonly format?: Format | undefined
  readonly maximumBytes: number
  readonly maximumFiles: number
  readonly compress: boolean
  /** Octal. */
  readonly mode: string
}

/** The options with their defaults filled in. */
export interface LoggingOptions {
  readonly level?: Threshold | undefined
  readonly levels: { readonly [Area in LogArea]?: Threshold | undefined }
  readonly format: Format
  readonly colour: boolean | 'auto'
  readonly stderr: boolean
  readonly file: FileOptions | null
  readonly contexts: boolean
  /** Calling AE titles of load balancers and monitors. */
  readonly healthChecks: readonly string[]
  readonly phi: boolean
  /** Of C-FIND, C-GET and C-MOVE; with `phi` only. */
  readonly requestIdentifiers: boolean
  /** Of C-FIND; with `phi` only. */
  readonly responseIdentifiers: boolean
  readonly slowOperationMs: number | null
  readonly transports: readonly TransportStream[]
}

/** The options as a config gives them: everything may be left out but the path of a file. */
export type LoggingOptionsInput = Optional<Omit<LoggingOptions, 'file'>> & {
  readonly file?: (Optional<Omit<FileOptions, 'path'>> & Pick<FileOptions, 'path'>) | null | undefined
}
type Optional<T> = { readonly [Key in keyof T]?: T[Key] | undefined }

const level = z.enum(['silent', 'error', 'warn', 'info', 'debug', 'trace'])
const format = z.enum(['pretty', 'json'])

const levels = z
  .strictObject({
    server: level.optional().describe('Start, listening, reload, close'),
    acse: level.optional().describe('Associations: accepted, rejected, released, aborted'),
    dimse: level.optional().describe('Operations: C-STORE, C-FIND and the others'),
    dul: level.optional().describe('Connections, PDUs and the upper layer state machine'),
    plugin: level.optional().describe('What plugins log'),
  })
  .describe('Levels that differ from `level`, by area')

const file = z
  .strictObject({
    path: z.string().min(1).describe('The log file; a relative path starts at the folder of the config file'),
    format: format.optional().describe('Default: that of the option `format`'),
    maximumBytes: z.int().min(1024).default(50_000_000).describe('Size at which the file is rotated: dicom.log becomes dicom.log.1 and so on'),
    maximumFiles: z.int().min(2).max(1000).default(10).describe('Files kept, the one being written included'),
    compress: z.boolean().default(false).describe('Compress rotated files with gzip'),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, 'must be octal in quotes, e.g. "640"')
      .default('640')
      .describe('Access rights of new files, octal, in quotes'),
  })
  .describe('Write to a file, with rotation')

/** The schema of the options; `schema.json` is made from it. */
export const loggingOptions: z.ZodType<LoggingOptions, LoggingOptionsInput> = z
  .strictObject({
    level: level.optional().describe('Least severe level that is written. Default: `logLevel` of the config, else info'),
    levels: levels.default({}),
    format: format.default('pretty').describe('pretty for people; json, one object per line, for log collectors'),
    colour: z
      .union([z.literal('auto'), z.boolean()])
      .default('auto')
      .describe('Colours of the pretty format on standard error; auto: on a terminal, unless NO_COLOR is set'),
    stderr: z.boolean().default(true).describe('Write to standard error'),
    file: file.nullable().default(null),
    contexts: z.boolean().default(false).describe('Log the presentation contexts of each association as a table'),
    healthChecks: z
      .array(z.string().trim().min(1).max(16))
      .default([])
      .describe('Calling AE titles of load balancers and monitors: their associations are lines at debug, as long as they do nothing but C-ECHO'),
    phi: z.boolean().default(false).describe('Let through what may hold patient data: data sets, error texts of unknown origin'),
    requestIdentifiers: z
      .boolean()
      .default(false)
      .describe('Log what peers ask for: the identifiers of C-FIND, C-GET and C-MOVE requests. Patient data: needs phi'),
    responseIdentifiers: z.boolean().default(false).describe('Log each match of a C-FIND. Patient data: needs phi'),
    slowOperationMs: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('Warn of operations that take longer, in milliseconds; C-GET and C-MOVE are excepted'),
    transports: z
      .array(z.custom<TransportStream>(isTransport, 'must be a winston transport'))
      .default([])
      .describe('More winston transports; in JavaScript and TypeScript configs only'),
  })
  .superRefine((options, context) => {
    if (options.phi) return
    for (const name of ['requestIdentifiers', 'responseIdentifiers'] as const) {
      if (options[name]) context.addIssue({ code: 'custom', path: [name], message: 'needs phi: true, for identifiers are patient data' })
    }
  })
  .describe('Options of @dicomtap/plugin-logging')

function isTransport(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { log?: unknown }).log === 'function'
}
