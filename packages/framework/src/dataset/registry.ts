import { DicomtapError } from '../errors/index.ts'
import { suggestion } from '../near-names.ts'
import { SOP_CLASSES } from './sop-classes.ts'
import type { ServiceClass, SopClassEntry } from './sop-classes.ts'
import { TRANSFER_SYNTAXES } from './transfer-syntaxes.ts'
import type { TransferSyntaxEntry } from './transfer-syntaxes.ts'

const SOP_CLASSES_BY_UID: ReadonlyMap<string, SopClassEntry> = new Map(SOP_CLASSES.map((entry) => [entry.uid, entry]))
const TRANSFER_SYNTAXES_BY_UID: ReadonlyMap<string, TransferSyntaxEntry> = new Map(
  TRANSFER_SYNTAXES.map((entry) => [entry.uid, entry]),
)

const SERVICE_CLASSES: ReadonlySet<string> = new Set(SOP_CLASSES.flatMap(({ service }) => service ?? []))

/** What {@link registerSopClass} added. */
const registered = new Map<string, SopClassEntry>()

function allSopClasses(): readonly SopClassEntry[] {
  return registered.size === 0 ? SOP_CLASSES : [...SOP_CLASSES.filter(({ uid }) => !registered.has(uid)), ...registered.values()]
}

/** The SOP class of a UID, of the standard or registered; undefined for others. */
export function sopClassByUid(uid: string): SopClassEntry | undefined {
  return registered.get(uid) ?? SOP_CLASSES_BY_UID.get(uid)
}

/** The SOP class of a keyword of PS3.6 table A-1, e.g. `CTImageStorage`, or of a registered one. */
export function sopClassByKeyword(keyword: string): SopClassEntry | undefined {
  return keyword === '' ? undefined : allSopClasses().find((entry) => entry.keyword === keyword)
}

/** The keywords of all SOP classes that have one, e.g. to suggest one for a mistyped name. */
export function sopClassKeywords(): string[] {
  return allSopClasses().flatMap(({ keyword }) => (keyword === '' ? [] : [keyword]))
}

/** What {@link registerSopClass} is told of a SOP class. */
export interface SopClassRegistration {
  readonly uid: string
  /** Letters and digits, e.g. `AcmeRawStorage`. Default: none. */
  readonly keyword?: string
  /** For people. Default: the keyword, else the UID. */
  readonly name?: string
  /** The service class that handles it: decides statuses, unrestricted storage and which lists it is in. */
  readonly service: ServiceClass
}

/**
 * Makes a SOP class known that PS3.6 does not list: a private one, or one of a later edition of the standard.
 * It is then found by UID and keyword, its operations have the statuses of its service, and a storage class is
 * stored like the others. It is not thereby supported or proposed: say that with contexts.
 *
 * It holds for the process, since what a UID means does not differ between servers: this is knowledge, like
 * the table of the standard, and switches nothing. Register before `listen`. To register the same again does
 * nothing; what a UID or keyword means is never changed. Only the standard's classes without a service, all of
 * them retired or for real-time streams, may be given one.
 *
 * @throws DICOMTAP_ERR_CFG_INVALID when the UID or keyword already has another meaning, or one of the fields is
 *   not allowed
 *
 * @example
 * registerSopClass({ uid: '1.2.826.0.1.3680043.2.1', keyword: 'AcmeRawStorage', name: 'ACME Raw Storage', service: 'storage' })
 */
export function registerSopClass(registration: SopClassRegistration): SopClassEntry {
  const { uid, service } = registration
  const invalid = (problem: string): DicomtapError =>
    new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `registerSopClass: ${problem}`)
  if (typeof uid !== 'string' || !isValidUid(uid, 'lenient')) {
    throw invalid(`'${uid}' is not a UID: use digits and dots, at most 64 (PS3.5 9.1)`)
  }
  if (!SERVICE_CLASSES.has(service)) {
    const given = String(service as unknown)
    throw invalid(`'${given}' is not a service class${suggestion(given, SERVICE_CLASSES)}`)
  }
  const known = sopClassByUid(uid)
  const keyword = registration.keyword ?? known?.keyword ?? ''
  const name = registration.name ?? known?.name ?? (keyword === '' ? uid : keyword)
  if (keyword !== '' && !/^[A-Za-z][A-Za-z0-9]*$/.test(keyword)) throw invalid(`the keyword '${keyword}' may have letters and digits only`)
  if (known !== undefined) {
    if (keyword !== known.keyword || name !== known.name || (known.service !== undefined && service !== known.service)) {
      throw invalid(`${uid} is already ${known.name} of the service ${known.service ?? 'none'}, and stays so`)
    }
    if (known.service !== undefined) return known
  }
  const sameKeyword = sopClassByKeyword(keyword)
  if (sameKeyword !== undefined && sameKeyword !== known) throw invalid(`the keyword ${keyword} is that of ${sameKeyword.uid}`)
  const entry: SopClassEntry = Object.freeze({ uid, keyword, name, retired: known?.retired ?? false, service })
  registered.set(uid, entry)
  return entry
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

/** The SOP classes of a service class of PS3.4, in the order of PS3.6 table A-1; registered ones follow. */
export function sopClassesOf(service: ServiceClass, selection: SopClassSelection = {}): readonly SopClassEntry[] {
  const includeRetired = selection.includeRetired === true
  return allSopClasses().filter((entry) => entry.service === service && (includeRetired || !entry.retired))
}

/**
 * The SOP classes of the storage service class (PS3.4 B.5), DICOS and DICONDE objects included.
 * There are more than the 128 presentation contexts of one association request, so choose when proposing.
 */
export function storageSopClasses(selection: SopClassSelection = {}): readonly SopClassEntry[] {
  return sopClassesOf('storage', selection)
}

/** Is it a SOP class of the storage service class: a standard one, current or retired, or a registered one? */
export function isStorageSopClass(uid: string): boolean {
  return sopClassByUid(uid)?.service === 'storage'
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
