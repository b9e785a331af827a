import { UsageError } from '../scu/exit.ts'

/** Attributes that a file may be named after. */
const FIELDS: Readonly<Record<string, number>> = {
  SOPClassUID: 0x0008_0016,
  SOPInstanceUID: 0x0008_0018,
  StudyDate: 0x0008_0020,
  AccessionNumber: 0x0008_0050,
  Modality: 0x0008_0060,
  PatientName: 0x0010_0010,
  PatientID: 0x0010_0020,
  StudyInstanceUID: 0x0020_000d,
  SeriesInstanceUID: 0x0020_000e,
  SeriesNumber: 0x0020_0011,
  InstanceNumber: 0x0020_0013,
}

/** How received objects are named. */
export interface FileNameTemplate {
  /** Attributes to be read from the data set. */
  readonly tags: readonly number[]
  /** The path below the folder, with `/`; every part is safe, whatever the values are. */
  render(value: (tag: number) => string | undefined): string
}

export const DEFAULT_FILE_NAME = '{SOPInstanceUID}.dcm'

/** What the request tells, and need not be read from the data set. */
export const FIELD_TAGS = { sopClassUid: FIELDS['SOPClassUID'] as number, sopInstanceUid: FIELDS['SOPInstanceUID'] as number } as const

/**
 * Parses text with fields in braces, e.g. `{Modality}/{SOPInstanceUID}.dcm`.
 *
 * @throws UsageError
 */
export function parseFileNameTemplate(template: string): FileNameTemplate {
  const parts = template.split('/')
  if (template.trim() === '' || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new UsageError(`--name ${template}: it is a path below the folder, without empty parts, "." and ".."`)
  }
  // oxlint-disable-next-line no-control-regex -- they have no place in a file name
  if (/[\\:*?"<>|\u0000-\u001f]/u.test(template)) throw new UsageError(`--name ${template}: it has a character that file names must not have`)
  const names = [...template.matchAll(/\{([^{}]*)\}/gu)].map(([, name = '']) => name)
  const unknown = names.find((name) => !Object.hasOwn(FIELDS, name))
  if (unknown !== undefined) throw new UsageError(`--name: there is no field {${unknown}}; there are ${Object.keys(FIELDS).join(', ')}`)
  if (names.length === 0) throw new UsageError(`--name ${template}: without a field such as {SOPInstanceUID} every object has the same name`)
  const tags = [...new Set(names.map((name) => FIELDS[name] as number))]
  return {
    tags,
    render: (value) =>
      parts
        .map((part) => safePart(part.replaceAll(/\{([^{}]*)\}/gu, (_, name: string) => safeValue(value(FIELDS[name] as number)))))
        .join('/'),
  }
}

const MAXIMUM_VALUE = 64
/** NAME_MAX of the usual file systems. */
const MAXIMUM_PART_BYTES = 255

/** Letters, digits and `._-` of a value that a peer chose; `none` when nothing is left. */
function safeValue(value: string | undefined): string {
  const safe = [...(value ?? '').trim().replaceAll(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 2 * MAXIMUM_VALUE)].slice(0, MAXIMUM_VALUE).join('')
  return /^[._]*$/u.test(safe) ? 'none' : safe
}

/** Not hidden, not the name of a device on Windows, not ending in what Windows cuts off. */
function safePart(part: string): string {
  const safe = part.replace(/^\.+/u, '_')
  const named = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/iu.test(safe) ? `_${safe}` : safe
  return cutToBytes(named, MAXIMUM_PART_BYTES).replace(/[. ]+$/u, '_')
}

/** The characters that fit, each whole. */
function cutToBytes(text: string, maximumBytes: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > maximumBytes) break
    end += character.length
  }
  return text.slice(0, end)
}
