/**
 * Value representations (PS3.5 table 6.2-1). What stands behind each: is its length field 32 bits wide in
 * explicit VR (PS3.5 7.1.2), and how wide is one number of it.
 */
export interface VrFacts {
  readonly longLength: boolean
  /** Bytes of one number, which byte order applies to; 1 where it does not. */
  readonly unitBytes: 1 | 2 | 4 | 8
  readonly kind: VrKind
}

export type VrKind = 'text' | 'numeric-text' | 'name' | 'integer' | 'float' | 'tag' | 'bytes' | 'sequence'

const facts = (kind: VrKind, unitBytes: VrFacts['unitBytes'] = 1, longLength = false): VrFacts => ({
  longLength,
  unitBytes,
  kind,
})

export const VRS: Readonly<Record<string, VrFacts>> = Object.freeze({
  AE: facts('text'),
  AS: facts('text'),
  AT: facts('tag', 2),
  CS: facts('text'),
  DA: facts('text'),
  DS: facts('numeric-text'),
  DT: facts('text'),
  FD: facts('float', 8),
  FL: facts('float', 4),
  IS: facts('numeric-text'),
  LO: facts('text'),
  LT: facts('text'),
  OB: facts('bytes', 1, true),
  OD: facts('bytes', 8, true),
  OF: facts('bytes', 4, true),
  OL: facts('bytes', 4, true),
  OV: facts('bytes', 8, true),
  OW: facts('bytes', 2, true),
  PN: facts('name'),
  SH: facts('text'),
  SL: facts('integer', 4),
  SQ: facts('sequence', 1, true),
  SS: facts('integer', 2),
  ST: facts('text'),
  SV: facts('integer', 8, true),
  TM: facts('text'),
  UC: facts('text', 1, true),
  UI: facts('text'),
  UL: facts('integer', 4),
  UN: facts('bytes', 1, true),
  UR: facts('text', 1, true),
  US: facts('integer', 2),
  UT: facts('text', 1, true),
  UV: facts('integer', 8, true),
})

/** Both characters of a VR field as one number, to look it up without making a string. */
const BY_CODE: ReadonlyMap<number, string> = new Map(
  Object.keys(VRS).map((vr) => [vr.charCodeAt(0) * 256 + vr.charCodeAt(1), vr]),
)

const isCapital = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a

/**
 * The VR in an explicit VR field. VRs that future editions add have a 32-bit length (PS3.5 6.2), so two
 * other capital letters are read as UN; undefined when the field can be no VR at all.
 */
export function vrFromBytes(first: number, second: number): string | undefined {
  return BY_CODE.get(first * 256 + second) ?? (isCapital(first) && isCapital(second) ? 'UN' : undefined)
}

export function hasLongLength(vr: string): boolean {
  return VRS[vr]?.longLength ?? true
}

/** `(0010,0020)`, for messages. */
export function tagText(tag: number): string {
  const hex = tagKey(tag)
  return `(${hex.slice(0, 4)},${hex.slice(4)})`
}

/** `00100020`: how an attribute without a keyword is called in a decoded data set. */
export function tagKey(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(8, '0')
}
