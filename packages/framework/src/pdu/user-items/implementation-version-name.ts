import { MAX_IMPLEMENTATION_VERSION_NAME_BYTES } from '../limits.ts'
import type { PduReader } from '../reader.ts'
import { withoutPadding } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import { failEncode } from '../writer.ts'
import type { ImplementationVersionName } from './types.ts'

/**
 * PS3.7 D.3.3.2.3: 1 to 16 characters. Nothing depends on the name, so a longer one is cut, not fatal.
 */
export function decodeImplementationVersionName(fields: PduReader): ImplementationVersionName {
  const length = Math.min(fields.remaining, MAX_IMPLEMENTATION_VERSION_NAME_BYTES)
  return { type: 0x55, implementationVersionName: withoutPadding(fields.latin1(length)) }
}

export function encodeImplementationVersionName(writer: PduWriter, item: ImplementationVersionName): void {
  const name = item.implementationVersionName
  if (name.length > MAX_IMPLEMENTATION_VERSION_NAME_BYTES) {
    failEncode(`an implementation version name has ${name.length} characters; 16 are allowed`)
  }
  writer.item(item.type, () => writer.latin1(name))
}
