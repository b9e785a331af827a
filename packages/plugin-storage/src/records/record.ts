import { crc32 } from 'node:zlib'

/**
 * What is recorded of an object, in `.dicomtap/records/`.
 *
 * `stored`: it is the one under this name. `replacing`: it is about to take the place of what is there.
 * `kept`: what was there stands for it. `removing`: it is about to be removed, and may be there or not until another
 * record says more. `remains`: it was not removed after all. `removed`: nothing is expected there any more.
 */
export type RecordKind = 'stored' | 'replacing' | 'kept' | 'removing' | 'remains' | 'removed'

export interface ObjectRecord {
  readonly kind: RecordKind
  /** Below the storage folder, with `/`. */
  readonly relativePath: string
  readonly sizeBytes: number
  /** Of the file, in hexadecimal digits. */
  readonly sha256?: string | undefined
  readonly recordedAtMs: number
}

const KINDS: ReadonlySet<unknown> = new Set<RecordKind>(['stored', 'replacing', 'kept', 'removing', 'remains', 'removed'])
const SHA256 = /^[0-9a-f]{64}$/
const CHECKSUM_DIGITS = 8

/** One line: a CRC-32 of the rest, which is JSON. The checksum tells a line that a crash cut from a whole one. */
export function encodeRecord({ kind, relativePath, sizeBytes, sha256, recordedAtMs }: ObjectRecord): string {
  const text = JSON.stringify([kind, relativePath, sizeBytes, recordedAtMs, ...(sha256 === undefined ? [] : [sha256])])
  return `${checksum(text)} ${text}\n`
}

/** Undefined for a line, given without its end, that is no record. */
export function decodeRecord(line: string): ObjectRecord | undefined {
  const text = line.slice(CHECKSUM_DIGITS + 1)
  if (line[CHECKSUM_DIGITS] !== ' ' || line.slice(0, CHECKSUM_DIGITS) !== checksum(text)) return undefined
  const fields = parse(text)
  if (!Array.isArray(fields)) return undefined
  const [kind, relativePath, sizeBytes, recordedAtMs, sha256] = fields as unknown[]
  if (!KINDS.has(kind) || typeof relativePath !== 'string' || !Number.isFinite(recordedAtMs)) return undefined
  if (!Number.isSafeInteger(sizeBytes) || (sizeBytes as number) < 0) return undefined
  if (sha256 !== undefined && !(typeof sha256 === 'string' && SHA256.test(sha256))) return undefined
  return { kind: kind as RecordKind, relativePath, sizeBytes: sizeBytes as number, sha256, recordedAtMs: recordedAtMs as number }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_DIGITS, '0')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
