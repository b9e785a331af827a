import type { PduReader } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { MaximumLength } from './types.ts'

/** PS3.8 D.1.1 */
export function decodeMaximumLength(fields: PduReader): MaximumLength {
  const maximumLengthReceived = fields.u32()
  fields.expectEnd()
  return { type: 0x51, maximumLengthReceived }
}

export function encodeMaximumLength(writer: PduWriter, item: MaximumLength): void {
  writer.item(item.type, () => writer.u32(item.maximumLengthReceived))
}
