import { z } from 'zod'
import { BYTE_SIZE_PATTERN, parseByteSize } from './byte-size.ts'
import { sopClassUidOf, transferSyntaxUidOf } from './contexts.ts'
import { parsePathTemplate } from './path-template.ts'

const byteSize = z
  .union([
    z.number().int().nonnegative(),
    z.string().regex(BYTE_SIZE_PATTERN, { error: 'must be a size such as 5000000, "500 MB" or "1.5 GiB"' }),
  ])
  .transform((size, context) => {
    const bytes = typeof size === 'number' ? size : parseByteSize(size)
    if (bytes !== undefined) return bytes
    context.addIssue({ code: 'custom', message: 'is larger than any disk' })
    return z.NEVER
  })

const mode = z.union([
  z.number().int().min(0).max(0o777),
  z
    .string()
    .regex(/^0?[0-7]{3}$/, { error: 'must be three octal digits such as "640"' })
    .transform((digits) => Number.parseInt(digits, 8)),
])

function uidList(what: string, uidOf: (name: string) => string | undefined): z.ZodType<readonly string[], readonly string[]> {
  return z.array(z.string()).min(1).transform((names, context) => {
    const uids = names.map((name, index) => {
      const uid = uidOf(name)
      if (uid === undefined) {
        context.addIssue({ code: 'custom', path: [index], message: `${JSON.stringify(name)} is neither a keyword nor a UID of a ${what}` })
      }
      return uid ?? ''
    })
    return [...new Set(uids)]
  })
}

const pathTemplate = z.string().superRefine((source, context) => {
  try {
    parsePathTemplate(source)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

/** A size in bytes: a number, or text such as `500 MB` (powers of 1000) and `1.5 GiB` (of 1024). */
export type ByteSize = number | string

/** What is written in a config: a folder to store into, or that nothing is to be stored. */
export type StorageOptions = StorageSettings &
  (
    | {
        /** Folder to store into. Relative to the config file, or to the working folder without one. */
        readonly directory: string
        readonly discard?: false | undefined
      }
    | {
        /**
         * Take every object, answer 0000 and throw it away. Not for servers that anybody relies on: a sender that
         * was answered 0000 may delete its copy. Default false.
         */
        readonly discard: true
        readonly directory?: string | undefined
      }
  )

/** The options that say how objects are stored. */
export interface StorageSettings {
  /**
   * Path of an object below the directory. Default `{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm`.
   * Must contain `{SOPInstanceUID}`.
   */
  readonly path?: string | undefined
  /**
   * What is done before 0000 is answered. `fsync` (default): object and name survive a power failure.
   * `close`: they survive a crash of the process.
   */
  readonly durability?: 'fsync' | 'close' | undefined
  /**
   * An object whose path is taken. `version` (default): one that differs is stored beside it, an identical one
   * answered 0000. `replace`: it takes the place. `keep`: the old one stays, answered 0000. `reject`: answered 0111.
   */
  readonly duplicates?: 'version' | 'replace' | 'keep' | 'reject' | undefined
  /** Space to leave free on the disk; below it objects are refused with A700. Default `256 MB`; null: none. */
  readonly minimumFreeSpace?: ByteSize | null | undefined
  /** What the directory may hold; above it objects are refused with A700. Default null: no limit. */
  readonly quota?: ByteSize | null | undefined
  /** Largest data set; a larger one is refused with A700. Default null: no limit. */
  readonly maximumObjectBytes?: ByteSize | null | undefined
  /** SOP classes to accept, by keyword or UID. Default: all storage SOP classes of PS3.6. */
  readonly sopClasses?: readonly string[] | undefined
  /** Transfer syntaxes to accept, by keyword or UID, in order of preference. Default: all of PS3.5. */
  readonly transferSyntaxes?: readonly string[] | undefined
  /** Refuse with A900 an object whose SOP Class or Instance UID is not that of its request. Default true. */
  readonly checkSopInstance?: boolean | undefined
  /**
   * What to record of each object, for `dicomtap verify`. `sha256`: size and SHA-256 of its file; the default when
   * `durability` is `fsync`. `size`: the default when it is `close`. `none`: nothing.
   */
  readonly record?: 'sha256' | 'size' | 'none' | undefined
  /** Compute the SHA-256 of each file for the hook `instanceStored`, though it is not recorded. Default false. */
  readonly sha256?: boolean | undefined
  /**
   * A study is complete when nothing was added to it for so long. Default 30 000; null: when the
   * associations that added to it have ended.
   */
  readonly studyQuietPeriodMs?: number | null | undefined
  /** Permissions of files, before the umask: a number or octal digits. Default `640`. */
  readonly fileMode?: number | string | undefined
  /** Permissions of folders, before the umask. Default `750`. */
  readonly directoryMode?: number | string | undefined
}

/** The same with defaults filled in, sizes in bytes and UIDs for keywords. */
export interface ResolvedStorageOptions {
  readonly directory?: string | undefined
  readonly discard: boolean
  readonly path: string
  readonly durability: 'fsync' | 'close'
  readonly duplicates: 'version' | 'replace' | 'keep' | 'reject'
  readonly minimumFreeSpace: number | null
  readonly quota: number | null
  readonly maximumObjectBytes: number | null
  readonly sopClasses?: readonly string[] | undefined
  readonly transferSyntaxes?: readonly string[] | undefined
  readonly checkSopInstance: boolean
  readonly record?: 'sha256' | 'size' | 'none' | undefined
  readonly sha256: boolean
  readonly studyQuietPeriodMs: number | null
  readonly fileMode: number
  readonly directoryMode: number
}

/** What the schema takes before it looks whether a folder is missing. */
type UncheckedOptions = StorageSettings & { readonly directory?: string | undefined; readonly discard?: boolean | undefined }

const options: z.ZodType<ResolvedStorageOptions, UncheckedOptions> = z
  .strictObject({
    directory: z.string().min(1).optional().meta({
      description: 'Folder to store into; required unless discard is true. Relative to the config file, or to the working folder without one.',
    }),
    discard: z.boolean().default(false).meta({
      description: 'Take every object, answer 0000 and throw it away: for tests and measurements.',
    }),
    path: pathTemplate.default('{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm').meta({
      description: 'Path of an object below the directory: text and fields such as {PatientID|hash} or {Modality:OT}. Must contain {SOPInstanceUID}.',
    }),
    durability: z.enum(['fsync', 'close']).default('fsync').meta({
      description: 'What is done before 0000 is answered. fsync: the object and its name survive a power failure. close: they survive a crash of the process.',
    }),
    duplicates: z.enum(['version', 'replace', 'keep', 'reject']).default('version').meta({
      description: 'An object whose path is taken. version: one that differs is stored beside it, an identical one answered 0000. replace: it takes the place. keep: the old one stays, answered 0000. reject: answered 0111.',
    }),
    minimumFreeSpace: byteSize.nullable().prefault('256 MB').meta({
      description: 'Space to leave free on the disk; below it objects are refused with A700. null: none.',
    }),
    quota: byteSize.nullable().prefault(null).meta({
      description: 'Bytes the directory may hold; above it objects are refused with A700. null: no limit.',
    }),
    maximumObjectBytes: byteSize.nullable().prefault(null).meta({
      description: 'Largest data set; a larger one is refused with A700. null: no limit.',
    }),
    sopClasses: uidList('SOP class', sopClassUidOf).optional().meta({
      description: 'SOP classes to accept, by keyword or UID. Default: all storage SOP classes of PS3.6.',
    }),
    transferSyntaxes: uidList('transfer syntax', transferSyntaxUidOf).optional().meta({
      description: 'Transfer syntaxes to accept, by keyword or UID, in order of preference. Default: all of PS3.5.',
    }),
    checkSopInstance: z.boolean().default(true).meta({
      description: 'Refuse with A900 an object whose SOP Class or Instance UID is not that of its C-STORE request.',
    }),
    record: z.enum(['sha256', 'size', 'none']).optional().meta({
      description: 'What to record of each object, for dicomtap verify. sha256: size and SHA-256 of its file. size: the size alone. none: nothing. Default: sha256 when durability is fsync, size when it is close.',
    }),
    sha256: z.boolean().default(false).meta({
      description: 'Compute the SHA-256 of each file for the hook instanceStored, though it is not recorded.',
    }),
    studyQuietPeriodMs: z.number().int().min(1).max(2 ** 31 - 1).nullable().default(30_000).meta({
      description: 'A study is complete when nothing was added to it for so long. null: when the associations that added to it have ended.',
    }),
    fileMode: mode.prefault('640').meta({ description: 'Permissions of files, before the umask: a number or octal digits such as "640".' }),
    directoryMode: mode.prefault('750').meta({ description: 'Permissions of folders, before the umask.' }),
  })
  .refine(({ directory, discard }) => discard || directory !== undefined, { path: ['directory'], error: 'is missing' })
  .meta({
    description: 'Options of @dicomtap/plugin-storage',
    anyOf: [{ required: ['directory'] }, { properties: { discard: { const: true } }, required: ['discard'] }],
  })

/** Options of the plugin; `schema.json` is made from it. */
export const storageOptions: z.ZodType<ResolvedStorageOptions, StorageOptions> = options as z.ZodType<ResolvedStorageOptions, StorageOptions>
