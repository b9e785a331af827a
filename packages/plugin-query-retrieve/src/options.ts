import type { Secret } from '@dicomtap/framework'
import { z } from 'zod'
import type { ModelName, ModelService } from './model/levels.ts'
import { BYTE_SIZE_PATTERN, parseByteSize } from './retention/byte-size.ts'

/** Where the index is kept. */
export type DatabaseOptions =
  /** A file on a local disk. A relative path starts at the config file. */
  | { readonly sqlite: string }
  /** `url`: `postgres://user@host:5432/database`; `password` apart keeps it out of the config. */
  | { readonly postgres: { readonly url: Secret; readonly password?: Secret | undefined; readonly maximumConnections?: number | undefined } }

/** An attribute that is indexed beyond the usual ones: a keyword or eight hexadecimal digits. */
export type ExtraAttribute = string | { readonly attribute: string; readonly vr?: string | undefined; readonly indexed?: boolean | undefined }

export interface RetentionOptions {
  /** Studies that nothing was added to for so many days are deleted. */
  readonly maximumAgeDays?: number | undefined
  /** When the stored files take more than this, the studies that were added to last the longest ago are deleted: bytes, or `500GiB`. */
  readonly maximumSize?: number | string | undefined
  /** Only log what would be deleted. Default true: what is deleted cannot be had back. */
  readonly dryRun?: boolean | undefined
  /** Default one hour. */
  readonly intervalMs?: number | undefined
}

/** What goes into `queryRetrieve(...)` and under `options` in a config file. */
export interface QueryRetrieveOptions {
  /** Default `{ sqlite: './index/index.sqlite' }`. */
  readonly database?: DatabaseOptions | undefined
  /** What is served, by information model. Default: all of it. */
  readonly models?: Partial<Record<ModelName, readonly ModelService[]>> | undefined
  /** Keys of any level without the unique keys above. `negotiated`, the default, when the peer negotiated it (PS3.4 C.5.1.1). */
  readonly relationalQueries?: 'negotiated' | 'always' | 'never' | undefined
  /** Whether semantic matching of names, combined date-time matching and time zones may be negotiated. Default true. */
  readonly fuzzyNames?: boolean | undefined
  readonly dateTimeMatching?: boolean | undefined
  readonly timezoneAdjustment?: boolean | undefined
  /** Of instances that do not say theirs: `+0100`. Default: that of this machine. */
  readonly timezone?: string | undefined
  /** A C-FIND ends with B001 after so many matches. Default null: no limit. */
  readonly maximumMatches?: number | null | undefined
  /** Attributes that can be queried and are returned besides the usual ones, by level. Rebuild the index after a change. */
  readonly attributes?: Partial<Record<'patient' | 'study' | 'series' | 'instance', readonly ExtraAttribute[]>> | undefined
  /** Retrieve AE Title (0008,0054) in matches. Default: the title that the peer called. */
  readonly retrieveAeTitle?: string | undefined
  /** Look for files without a row at each start, beside the service. Default true. */
  readonly scanAtStart?: boolean | undefined
  readonly retention?: RetentionOptions | undefined
}

export interface ResolvedQueryRetrieveOptions {
  readonly database: DatabaseOptions
  readonly models: Readonly<Record<ModelName, readonly ModelService[]>>
  readonly relationalQueries: 'negotiated' | 'always' | 'never'
  readonly fuzzyNames: boolean
  readonly dateTimeMatching: boolean
  readonly timezoneAdjustment: boolean
  readonly timezone: string | undefined
  readonly maximumMatches: number | null
  readonly attributes: Readonly<Record<'patient' | 'study' | 'series' | 'instance', readonly ExtraAttribute[]>>
  readonly retrieveAeTitle: string | undefined
  readonly scanAtStart: boolean
  readonly retention: RetentionOptions | undefined
}

const secret = z.union([z.string(), z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })], { error: 'must be text, { file } or { env }' })

const database = z.union([
  z.strictObject({ sqlite: z.string().min(1).meta({ description: 'The file, on a local disk. A relative path starts at the config file.' }) }),
  z.strictObject({
    postgres: z.strictObject({
      url: secret.meta({ description: 'postgres://user@host:5432/database; itself, { file } or { env }.' }),
      password: secret.optional().meta({ description: 'The password, when it is not in the URL.' }),
      maximumConnections: z.int().min(2).max(100).default(10).meta({ description: 'Connections of one process.' }),
    }),
  }),
], { error: 'must be { sqlite: <file> } or { postgres: { url: <postgres://...> } }' })

const services = <const S extends readonly ModelService[]>(...all: S) => z.array(z.enum(all)).default([...all])

const extraAttributes = z
  .array(
    z.union([
      z.string().min(1),
      z.strictObject({ attribute: z.string().min(1), vr: z.string().regex(/^[A-Z]{2}$/).optional(), indexed: z.boolean().optional() }),
    ]),
  )
  .default([])

const SIZE_ERROR = 'must be a size such as 500000000000, "500 GB" or "1.5 TiB"'

const byteSize = z
  .union([z.number().positive(), z.string().regex(BYTE_SIZE_PATTERN, { abort: true })], { error: SIZE_ERROR })
  // Nothing must not be the most that may stay, and what is too large to count would be no limit.
  .refine((size) => typeof size === 'number' || (parseByteSize(size) ?? 0) > 0, 'must be more than 0 and smaller than 8 PiB')

/** Options of the plugin; `schema.json` is made from it. */
export const queryRetrieveOptions: z.ZodType<ResolvedQueryRetrieveOptions, QueryRetrieveOptions> = z
  .strictObject({
    database: database.default({ sqlite: './index/index.sqlite' }).meta({ description: 'Where the index is kept.' }),
    models: z
      .strictObject({
        patientRoot: services('find', 'move', 'get'),
        studyRoot: services('find', 'move', 'get'),
        patientStudyOnly: services('find', 'move', 'get'),
        compositeInstanceRoot: services('move', 'get'),
        compositeInstanceWithoutBulkData: services('get'),
      })
      .prefault({})
      .meta({ description: 'What is served, by information model: a list of find, move, get.' }),
    relationalQueries: z.enum(['negotiated', 'always', 'never']).default('negotiated').meta({
      description: 'Keys of any level without the unique keys above: when the peer negotiated it (PS3.4 C.5.1.1), always, or never.',
    }),
    fuzzyNames: z.boolean().default(true).meta({ description: 'Whether semantic matching of person names may be negotiated.' }),
    dateTimeMatching: z.boolean().default(true).meta({ description: 'Whether a range of date and one of time may be negotiated to be one range.' }),
    timezoneAdjustment: z.boolean().default(true).meta({ description: 'Whether the time zone of a query may be negotiated to count.' }),
    timezone: z.string().regex(/^[+-](?:0\d|1[0-4])[0-5]\d$/, 'is no offset such as +0100').optional().meta({
      description: 'Offset from UTC of instances that do not say theirs, e.g. +0100. Default: that of this machine.',
    }),
    maximumMatches: z.int().min(1).max(2 ** 31 - 1).nullable().default(null).meta({ description: 'A C-FIND ends with B001 after so many matches. null: no limit.' }),
    attributes: z
      .strictObject({ patient: extraAttributes, study: extraAttributes, series: extraAttributes, instance: extraAttributes })
      .prefault({})
      .meta({ description: 'Attributes that can be queried and are returned besides the usual ones, by level: keywords, or eight hexadecimal digits with a vr. Rebuild the index after a change.' }),
    retrieveAeTitle: z.string().regex(/^[\x20-\x5b\x5d-\x7e]{1,16}$/, 'is no AE title').optional().meta({
      description: 'Retrieve AE Title (0008,0054) in matches. Default: the title that the peer called.',
    }),
    scanAtStart: z.boolean().default(true).meta({ description: 'Look for files that the index does not know at each start, beside the service.' }),
    retention: z
      .strictObject({
        maximumAgeDays: z.number().positive().max(36_500).optional().meta({ description: 'Studies that nothing was added to for so many days are deleted.' }),
        maximumSize: byteSize.optional().meta({ description: 'Above it, the studies are deleted that nothing was added to for longest: bytes, or text such as 500GiB.' }),
        dryRun: z.boolean().default(true).meta({ description: 'Only log what would be deleted.' }),
        intervalMs: z.int().min(1000).max(2 ** 31 - 1).default(3_600_000).meta({ description: 'How often to look.' }),
      })
      .refine(({ maximumAgeDays, maximumSize }) => maximumAgeDays !== undefined || maximumSize !== undefined, 'needs maximumAgeDays, maximumSize or both')
      .optional()
      .meta({ description: 'Deletes old studies. Without it nothing is ever deleted.' }),
  })
  .meta({ description: 'Options of @dicomtap/plugin-query-retrieve' }) as unknown as z.ZodType<ResolvedQueryRetrieveOptions, QueryRetrieveOptions>
