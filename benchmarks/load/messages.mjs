import { dataSet } from './data-set.mjs'
import { commandSet, pData } from './pdus.mjs'
import { CT_IMAGE_STORAGE, VERIFICATION, sopInstanceUid } from './uids.mjs'

/** Longest P-DATA-TF sent when the peer takes more, or any length. */
const LARGEST_PDU_BYTES = 1_048_576
/** Messages up to this size are one buffer and one write. */
const WHOLE_BELOW_BYTES = 8 * 1_048_576
const REPEATED_BLOCK_BYTES = 1_048_576
const PDV_OVERHEAD_BYTES = 6

/** A C-ECHO request that can be sent again and again: `next()` gives the bytes with another Message ID. */
export function echoMessage(presentationContextId) {
  const bytes = pData(presentationContextId, true, true, commandSet({
    '0002': VERIFICATION, '0100': 0x0030, '0110': 0, '0800': 0x0101,
  }))
  const number = patchMessageId(bytes)
  return {
    sizeBytes: 0,
    next() {
      number()
      return [bytes]
    },
  }
}

/**
 * A C-STORE request laid out once, PDU headers included; `next()` writes the next Message ID and SOP
 * Instance UID into it. The buffers must have been taken by the socket before it is called again: that is
 * so when the peer has answered.
 */
export function storeMessage({ presentationContextId, transferSyntax, sizeBytes, association, maximumLength, pduBytes }) {
  const uid = sopInstanceUid(association, 0)
  const { head, pixelBytes, tail } = dataSet({ transferSyntax, sizeBytes, sopInstanceUid: uid })
  const command = pData(presentationContextId, true, true, commandSet({
    '0002': CT_IMAGE_STORAGE, '0100': 0x0001, '0110': 0, '0700': 0, '0800': 0x0001, '1000': uid,
  }))
  const longest = Math.min(maximumLength || LARGEST_PDU_BYTES, pduBytes || LARGEST_PDU_BYTES)
  const pieces = layOut(presentationContextId, command, head, pixelBytes, tail, longest - PDV_OVERHEAD_BYTES)
  const first = pieces[0]
  const number = patchMessageId(first)
  const uidOffsets = offsetsOf(first, uid)
  if (uidOffsets.length !== 2) throw new Error('the first PDU of the data set is too short for its SOP Instance UID')
  let instance = 0
  return {
    sizeBytes: head.length + pixelBytes + tail.length,
    next() {
      number()
      const digits = sopInstanceUid(association, ++instance)
      for (const offset of uidOffsets) first.write(digits, offset, 'latin1')
      return pieces
    },
  }
}

/** The message as buffers to write: one, or for large ones a first, a block that repeats and a last. */
function layOut(id, command, head, pixelBytes, tail, fragmentBytes) {
  const dataBytes = head.length + pixelBytes + tail.length
  const isWhole = dataBytes <= WHOLE_BELOW_BYTES
  const pixels = Buffer.alloc(isWhole ? pixelBytes : 2 * fragmentBytes)
  for (let index = 0; index < pixels.length; index++) pixels[index] = index * 31
  const pixelsOf = (length) => pixels.subarray(0, length)
  if (isWhole) {
    const data = Buffer.concat([head, pixels, tail])
    const pdus = [command]
    for (let at = 0; at < data.length; at += fragmentBytes) {
      pdus.push(pData(id, false, at + fragmentBytes >= data.length, data.subarray(at, at + fragmentBytes)))
    }
    return [Buffer.concat(pdus)]
  }
  const start = Buffer.concat([head, pixelsOf(fragmentBytes - head.length)])
  const first = Buffer.concat([command, pData(id, false, false, start)])
  const remaining = dataBytes - fragmentBytes - tail.length
  const full = Math.floor(remaining / fragmentBytes)
  const one = pData(id, false, false, pixelsOf(fragmentBytes))
  const perBlock = Math.max(1, Math.floor(REPEATED_BLOCK_BYTES / one.length))
  const block = Buffer.concat(Array(perBlock).fill(one))
  const rest = Array(full % perBlock).fill(one)
  const last = pData(id, false, true, Buffer.concat([pixelsOf(remaining - full * fragmentBytes), tail]))
  return [first, ...Array(Math.floor(full / perBlock)).fill(block), ...rest, last]
}

function patchMessageId(bytes) {
  // Tag (0000,0110) and its length of 2.
  const at = bytes.indexOf(Buffer.from([0x00, 0x00, 0x10, 0x01, 0x02, 0x00, 0x00, 0x00])) + 8
  let messageId = 0
  return () => {
    messageId = (messageId % 0xffff) + 1
    bytes.writeUInt16LE(messageId, at)
  }
}

function offsetsOf(bytes, text) {
  const offsets = []
  for (let at = bytes.indexOf(text, 0, 'latin1'); at !== -1; at = bytes.indexOf(text, at + 1, 'latin1')) offsets.push(at)
  return offsets
}
