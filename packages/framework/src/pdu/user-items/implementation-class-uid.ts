import type { PduReader } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { ImplementationClassUid } from './types.ts'

/** PS3.7 D.3.3.2.1 */
export function decodeImplementationClassUid(fields: PduReader): ImplementationClassUid {
  return { type: 0x52, implementationClassUid: fields.uid(fields.remaining) }
}

export function encodeImplementationClassUid(writer: PduWriter, item: ImplementationClassUid): void {
  writer.item(item.type, () => writer.uid(item.implementationClassUid))
}
