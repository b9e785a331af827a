import { createHash } from 'node:crypto'

const MAXIMUM_NAME_LENGTH = 64
const MAXIMUM_SEGMENT_LENGTH = 200
const UID = /^\d+(?:\.\d+)*$/
// Device names of Windows, alone or before an extension.
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i

/** What stands for a value that an object does not have. */
export const MISSING_NAME = 'unknown'

/** The first hexadecimal digits of the SHA-256 of `value`. */
export function shortHash(value: string, digits: number): string {
  return createHash('sha256').update(value, 'utf8').digest('hex').slice(0, digits)
}

/** PS3.5 9.1: components of digits, at most 64 characters. */
export function isUid(value: string): boolean {
  return value.length <= MAXIMUM_NAME_LENGTH && UID.test(value)
}

/**
 * A UID as a name. One that is not a UID becomes `uid-` and 32 digits of its hash: it cannot leave its
 * folder, and no other value, right or wrong, has the same name.
 */
export function safeUid(uid: string): string {
  return isUid(uid) ? uid : `uid-${shortHash(uid, 32)}`
}

/**
 * A text value as a name: `A-Z a-z 0-9 . _ -`, no dot first or last, at most 64 characters, not a device
 * name of Windows. What had to be changed ends in a hash, so that different values keep different names.
 */
export function safeText(value: string): string {
  const name = value.replaceAll(/[^A-Za-z0-9._-]+/g, '_').replaceAll(/^\.+|\.+$/g, '_')
  if (name === value && name.length <= MAXIMUM_NAME_LENGTH && !RESERVED.test(name)) return name
  const isReserved = RESERVED.test(name)
  return `${isReserved ? '_' : ''}${name.slice(0, 46)}-${shortHash(value, 16)}`
}

/** A whole path segment, composed of safe names and the template's own text, made fit for every file system. */
export function safeSegment(segment: string): string {
  if (segment.length > MAXIMUM_SEGMENT_LENGTH) {
    const extension = /\.[A-Za-z0-9]{1,8}$/.exec(segment)?.[0] ?? ''
    return safeSegment(`${segment.slice(0, 120)}-${shortHash(segment, 32)}${extension}`)
  }
  if (RESERVED.test(segment)) return `_${segment}`
  return segment
}
