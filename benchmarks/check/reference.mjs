import { closeSync, openSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { PduType, RELEASE_RESPONSE, commandSet, pData } from '../load/pdus.mjs'
import { takeOver } from '../load/sink.mjs'
import { CT_IMAGE_STORAGE, VERIFICATION, sopInstanceUid } from '../load/uids.mjs'

const CONTEXT_ID = 1
const READ_BUFFER_BYTES = 65_536
const PDU_HEADER_BYTES = 6
const PDV_HEADER_BYTES = 6
const NO_DATA_SET = 0x0101
const MESSAGE_ID_TAG = Buffer.from([0x00, 0x00, 0x20, 0x01, 0x02, 0x00, 0x00, 0x00])
const EMPTY = Buffer.alloc(0)

/** A-ASSOCIATE-AC that accepts context 1, without a word about the rest (PS3.8 9.3.3). */
const ASSOCIATE_ACCEPT = Buffer.concat([
  Buffer.from([PduType.AssociateAc, 0, 0, 0, 0, 68 + 8, 0, 1]),
  Buffer.alloc(66),
  Buffer.from([0x21, 0, 0, 4, CONTEXT_ID, 0, 0, 0]),
])

/**
 * The least that a receiver in Node does: cuts PDUs, writes data sets to files as they come, answers each message from a
 * canned response. What CPU is measured against: it makes the same reads and writes, so that it gets dearer with the
 * machine as the server does.
 */
export function startReference(directory, port) {
  let files = 0
  return createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    let kept = EMPTY
    let left = 0
    let isLast = false
    let messageId = 0
    let file
    const socket = takeOver(accepted, (chunk) => {
      let bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk])
      kept = EMPTY
      while (bytes.length > 0) {
        if (left > 0) {
          const piece = bytes.subarray(0, left)
          writeSync(file, piece)
          bytes = bytes.subarray(piece.length)
          left -= piece.length
          if (left > 0 || !isLast) continue
          closeSync(file)
          file = undefined
          respond.store(messageId)
          continue
        }
        const length = bytes.length < PDU_HEADER_BYTES ? Number.POSITIVE_INFINITY : PDU_HEADER_BYTES + bytes.readUInt32BE(2)
        const isDataSet = bytes.length >= PDU_HEADER_BYTES + PDV_HEADER_BYTES && bytes[0] === PduType.PData && (bytes[11] & 1) === 0
        if (isDataSet) {
          left = length - PDU_HEADER_BYTES - PDV_HEADER_BYTES
          isLast = (bytes[11] & 2) !== 0
          file ??= openSync(join(directory, `reference-${files++}`), 'wx')
          bytes = bytes.subarray(PDU_HEADER_BYTES + PDV_HEADER_BYTES)
          continue
        }
        if (bytes.length < length) {
          kept = Buffer.from(bytes)
          break
        }
        if (bytes[0] === PduType.AssociateRq) socket.write(ASSOCIATE_ACCEPT)
        else if (bytes[0] === PduType.ReleaseRq) socket.write(RELEASE_RESPONSE)
        else if (bytes[0] === PduType.PData) {
          const command = commandOf(bytes.subarray(PDU_HEADER_BYTES + PDV_HEADER_BYTES, length))
          messageId = command.messageId
          if (!command.hasDataSet) respond.echo(messageId)
        }
        bytes = bytes.subarray(length)
      }
    }, READ_BUFFER_BYTES)
    const respond = { store: responder(socket, 0x8001, CT_IMAGE_STORAGE), echo: responder(socket, 0x8030, VERIFICATION) }
    socket.on('error', () => {})
  }).listen(port, '127.0.0.1')
}

function responder(socket, commandField, sopClassUid) {
  const uid = commandField === 0x8001 ? { '1000': sopInstanceUid(0, 1) } : {}
  const bytes = pData(CONTEXT_ID, true, true, commandSet({ '0002': sopClassUid, '0100': commandField, '0120': 0, '0800': NO_DATA_SET, '0900': 0, ...uid }))
  const at = bytes.indexOf(MESSAGE_ID_TAG) + MESSAGE_ID_TAG.length
  return (messageId) => {
    bytes.writeUInt16LE(messageId, at)
    socket.write(bytes)
  }
}

function commandOf(command) {
  let messageId = 0
  let hasDataSet = false
  for (let at = 0; at + 8 <= command.length; at += 8 + command.readUInt32LE(at + 4)) {
    const element = command.readUInt16LE(at + 2)
    if (element === 0x0110) messageId = command.readUInt16LE(at + 8)
    if (element === 0x0800) hasDataSet = command.readUInt16LE(at + 8) !== NO_DATA_SET
  }
  return { messageId, hasDataSet }
}
