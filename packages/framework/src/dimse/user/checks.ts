import { parseAeTitle } from '../../dataset/ae-title.ts'
import { isValidUid } from '../../dataset/index.ts'
import { DicomtapError } from '../../errors/index.ts'

/** Largest value of VR US (PS3.5 table 6.2-1). */
const LARGEST_US = 0xffff

/** What is wrong with the arguments of a request. */
export function badRequest(message: string, cause?: unknown): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', message, cause === undefined ? undefined : { cause })
}

/** Options that cannot be left out. */
export function checkOptions(options: unknown, service: string): void {
  if (typeof options !== 'object' || options === null) throw badRequest(`${service}: options are missing`)
}

/** An AbortSignal, of this realm or another; undefined is none. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined) return
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function') throw badRequest(`signal must be an AbortSignal, not ${shown(signal)}`)
}

/** Leading zeros come from equipment in the field, and must be asked for as they are. */
export function checkUid(uid: unknown, name: string): void {
  if (typeof uid !== 'string' || !isValidUid(uid, 'lenient')) throw badRequest(`${name} must be a UID, not ${shown(uid)}`)
}

/** An element of VR US. */
export function checkUnsignedShort(value: unknown, name: string): void {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > LARGEST_US) {
    throw badRequest(`${name} must be an integer from 0 to ${LARGEST_US}, not ${shown(value)}`)
  }
}

/** Priority (0000,0700); undefined is 0. */
export function priorityOf(priority: unknown): number {
  if (priority === undefined) return 0
  if (priority === 0 || priority === 1 || priority === 2) return priority
  throw badRequest(`priority must be 0 (medium), 1 (high) or 2 (low), not ${shown(priority)}`)
}

/** An AE title, without the spaces around it. */
export function aeTitleOf(title: unknown, name: string): string {
  const parsed = parseAeTitle(title)
  if (parsed === undefined) throw badRequest(`${name} must be an AE title of 1 to 16 ASCII characters without backslash`)
  return parsed
}

/** Something that can be sent as a data set. */
export function checkDataSet(dataset: unknown, name: string): void {
  const isDataSet = typeof dataset === 'object' && dataset !== null && !Array.isArray(dataset)
  if (!isDataSet) throw badRequest(`${name} must be a data set or the bytes of one`)
}

/** Numbers and short texts as they are: an argument may be anything, patient data too. */
function shown(value: unknown): string {
  if (typeof value === 'number' || value === undefined || value === null) return String(value)
  return typeof value === 'string' && /^[\d.]{0,80}$/.test(value) ? `'${value}'` : `this ${typeof value}`
}
