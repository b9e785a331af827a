import { PduFramer } from '@dicomtap/framework'
import { MAXIMUM_PDU_BYTES, chunksOf, echoMessage, storeMessage } from './messages.mjs'

const LIMITS = { maximumPduBytes: MAXIMUM_PDU_BYTES, maximumAssociatePduBytes: 1_048_576 }
const nothing = { pdu() {}, pDataStart() {}, pdvFragment() {}, pDataEnd() {} }

export function addFramer(add) {
  const framer = new PduFramer(nothing, LIMITS)
  const push = (chunks) => () => {
    for (const chunk of chunks) framer.push(chunk)
  }
  const echo = echoMessage()
  const store = storeMessage(512 * 1024)
  add('framer: C-ECHO in one chunk', push([echo]), { batch: 1000 })
  add('framer: C-ECHO byte by byte', push(chunksOf(echo, 1)), { batch: 100 })
  add('framer: 512 KiB C-STORE in chunks of 64 KiB', push(chunksOf(store)), { batch: 100 })
}
