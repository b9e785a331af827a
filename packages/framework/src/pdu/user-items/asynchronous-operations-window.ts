import type { PduReader } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { AsynchronousOperationsWindow } from './types.ts'

/** PS3.7 D.3.3.3 */
export function decodeAsynchronousOperationsWindow(fields: PduReader): AsynchronousOperationsWindow {
  const maximumNumberOperationsInvoked = fields.u16()
  const maximumNumberOperationsPerformed = fields.u16()
  fields.expectEnd()
  return { type: 0x53, maximumNumberOperationsInvoked, maximumNumberOperationsPerformed }
}

export function encodeAsynchronousOperationsWindow(writer: PduWriter, item: AsynchronousOperationsWindow): void {
  writer.item(item.type, () => {
    writer.u16(item.maximumNumberOperationsInvoked)
    writer.u16(item.maximumNumberOperationsPerformed)
  })
}
