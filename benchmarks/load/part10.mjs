import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dataSet, elementOf } from './data-set.mjs'
import { evenText } from './pdus.mjs'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES } from './uids.mjs'

const PREAMBLE_BYTES = 128
const IMPLEMENTATION_CLASS_UID = '2.25.220116742913742958203155612345678901235'

/** Preamble, prefix and file meta information of a CT image (PS3.10 7.1). */
export function fileHeader({ transferSyntax, sopInstanceUid }) {
  const element = (tag, vr, value) => elementOf(tag, vr, value, value.length, true)
  const group = Buffer.concat([
    element(0x0002_0001, 'OB', Buffer.from([0, 1])),
    element(0x0002_0002, 'UI', evenText(CT_IMAGE_STORAGE)),
    element(0x0002_0003, 'UI', evenText(sopInstanceUid)),
    element(0x0002_0010, 'UI', evenText(transferSyntax)),
    element(0x0002_0012, 'UI', evenText(IMPLEMENTATION_CLASS_UID)),
  ])
  const groupLength = Buffer.alloc(4)
  groupLength.writeUInt32LE(group.length)
  return Buffer.concat([Buffer.alloc(PREAMBLE_BYTES), Buffer.from('DICM'), element(0x0002_0000, 'UL', groupLength), group])
}

/**
 * Writes a CT image as a file, explicit VR little endian.
 * @param sizeBytes of the data set
 * @param isSparse its pixels are a hole in the file: zeros that take no room and come from no disk
 * @returns the bytes of the data set
 */
export function writeObject(path, { sizeBytes, sopInstanceUid, isSparse = false }) {
  const transferSyntax = TRANSFER_SYNTAXES.explicit
  const { head, pixelBytes } = dataSet({ transferSyntax, sizeBytes, sopInstanceUid })
  const start = Buffer.concat([fileHeader({ transferSyntax, sopInstanceUid }), head])
  const file = openSync(path, 'wx')
  try {
    if (isSparse) {
      writeSync(file, start)
      ftruncateSync(file, start.length + pixelBytes)
    } else {
      const pixels = Buffer.alloc(pixelBytes)
      for (let index = 0; index < pixels.length; index++) pixels[index] = index * 31
      writeSync(file, Buffer.concat([start, pixels]))
    }
  } finally {
    closeSync(file)
  }
  return head.length + pixelBytes
}
