import { SOP_CLASSES } from './sop-classes.ts'
import type { ServiceClass, SopClassEntry } from './sop-classes.ts'
import { TRANSFER_SYNTAXES } from './transfer-syntaxes.ts'
import type { TransferSyntaxEntry } from './transfer-syntaxes.ts'

const SOP_CLASSES_BY_UID: ReadonlyMap<string, SopClassEntry> = new Map(SOP_CLASSES.map((entry) => [entry.uid, entry]))
const TRANSFER_SYNTAXES_BY_UID: ReadonlyMap<string, TransferSyntaxEntry> = new Map(
  TRANSFER_SYNTAXES.map((entry) => [entry.uid, entry]),
)

/** The SOP class of a UID; undefined for private and unknown ones. */
export function sopClassByUid(uid: string): SopClassEntry | undefined {
  return SOP_CLASSES_BY_UID.get(uid)
}

/** The SOP class of a keyword of PS3.6 table A-1, e.g. `CTImageStorage`. */
export function sopClassByKeyword(keyword: string): SopClassEntry | undefined {
  return keyword === '' ? undefined : SOP_CLASSES.find((entry) => entry.keyword === keyword)
}

/** The transfer syntax of a UID; undefined for private and unknown ones. */
export function transferSyntaxByUid(uid: string): TransferSyntaxEntry | undefined {
  return TRANSFER_SYNTAXES_BY_UID.get(uid)
}

/** The transfer syntax of a keyword of PS3.6 table A-1, e.g. `JPEG2000Lossless`. */
export function transferSyntaxByKeyword(keyword: string): TransferSyntaxEntry | undefined {
  return TRANSFER_SYNTAXES.find((entry) => entry.keyword === keyword)
}

export interface SopClassSelection {
  /** Retired SOP classes too: old archives still send them. Default false. */
  readonly includeRetired?: boolean
}

/** The SOP classes of a service class of PS3.4, in the order of PS3.6 table A-1. */
export function sopClassesOf(service: ServiceClass, selection: SopClassSelection = {}): readonly SopClassEntry[] {
  const includeRetired = selection.includeRetired === true
  return SOP_CLASSES.filter((entry) => entry.service === service && (includeRetired || !entry.retired))
}

/**
 * The SOP classes of the storage service class (PS3.4 B.5), DICOS and DICONDE objects included.
 * There are more than the 128 presentation contexts of one association request, so choose when proposing.
 */
export function storageSopClasses(selection: SopClassSelection = {}): readonly SopClassEntry[] {
  return sopClassesOf('storage', selection)
}

/** Is it a standard SOP class of the storage service class, current or retired? */
export function isStorageSopClass(uid: string): boolean {
  return SOP_CLASSES_BY_UID.get(uid)?.service === 'storage'
}

const DICOM_ROOT = '1.2.840.10008.'

/** Is it a UID outside the root of the DICOM standard, and hence privately defined (PS3.5 9.2)? */
export function isPrivateUid(uid: string): boolean {
  return !uid.startsWith(DICOM_ROOT)
}

const STRICT_UID = /^[0-2](?:\.(?:0|[1-9][0-9]*))+$/
const LENIENT_UID = /^[0-9]+(?:\.[0-9]+)*$/
const MAXIMUM_UID_CHARACTERS = 64

/**
 * Is it a UID? `strict` is PS3.5 9.1: at most 64 characters, numbers without leading zeros joined by dots,
 * the first of them 0, 1 or 2. `lenient` also takes leading zeros, a single number and any first number, as
 * equipment in the field sends them; what passes is still digits and single inner dots, so it is safe in a
 * file name.
 */
export function isValidUid(uid: string, rules: 'strict' | 'lenient' = 'strict'): boolean {
  return uid.length <= MAXIMUM_UID_CHARACTERS && (rules === 'strict' ? STRICT_UID : LENIENT_UID).test(uid)
}
