import {
  ALL_TRANSFER_SYNTAXES,
  isValidUid,
  sopClassByKeyword,
  sopClassByUid,
  storageSopClasses,
  transferSyntaxByKeyword,
  transferSyntaxByUid,
} from '@dicomtap/framework'

/**
 * The UID of a SOP class that can be stored, by keyword or UID: of the storage service class, of those for
 * objects without a patient (PS3.4 GG), private or unknown. Undefined for anything else.
 */
export function sopClassUidOf(name: string): string | undefined {
  const entry = sopClassByKeyword(name) ?? sopClassByUid(name)
  if (entry !== undefined) return entry.service === 'storage' || entry.keyword.endsWith('Storage') ? entry.uid : undefined
  return isValidUid(name) ? name : undefined
}

/** The same for transfer syntaxes. One that cannot be negotiated, e.g. JPIP over a retired encoding, is none. */
export function transferSyntaxUidOf(name: string): string | undefined {
  const entry = transferSyntaxByKeyword(name) ?? transferSyntaxByUid(name)
  if (entry !== undefined) return entry.network ? entry.uid : undefined
  return isValidUid(name) ? name : undefined
}

/** Every storage SOP class of PS3.6, retired ones too: old archives still send them. */
export function allStorageSopClassUids(): readonly string[] {
  return storageSopClasses({ includeRetired: true }).map((entry) => entry.uid)
}

/** Every transfer syntax of PS3.5 that can be negotiated, in the framework's order of preference. */
export function allTransferSyntaxUids(): readonly string[] {
  return ALL_TRANSFER_SYNTAXES
}
