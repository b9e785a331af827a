import { evenText, uint16le } from './pdus.mjs'
import { CT_IMAGE_STORAGE, SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, TRANSFER_SYNTAXES } from './uids.mjs'

/** VRs whose explicit length has four bytes. */
const LONG_LENGTH_VRS = new Set(['OB', 'OW'])
const UNDEFINED_LENGTH = 0xffffffff

/**
 * A CT image as it travels in a C-STORE request: the bytes before its pixels, how many pixel bytes follow
 * them, and the bytes behind. Altogether `sizeBytes`, unless that is less than the attributes need.
 */
export function dataSet({ transferSyntax, sizeBytes, sopInstanceUid }) {
  const isExplicit = transferSyntax !== TRANSFER_SYNTAXES.implicit
  const isEncapsulated = transferSyntax === TRANSFER_SYNTAXES.jpeg
  const element = (tag, vr, value, length = value.length) => elementOf(tag, vr, value, length, isExplicit)
  const attributes = Buffer.concat([
    element(0x0008_0005, 'CS', evenText('ISO_IR 100', ' ')),
    element(0x0008_0016, 'UI', evenText(CT_IMAGE_STORAGE)),
    element(0x0008_0018, 'UI', evenText(sopInstanceUid)),
    element(0x0008_0020, 'DA', evenText('20260102', ' ')),
    element(0x0008_0060, 'CS', evenText('CT', ' ')),
    element(0x0010_0010, 'PN', evenText('LOAD^GENERATED', ' ')),
    element(0x0010_0020, 'LO', evenText('LOAD', ' ')),
    element(0x0020_000d, 'UI', evenText(STUDY_INSTANCE_UID)),
    element(0x0020_000e, 'UI', evenText(SERIES_INSTANCE_UID)),
    element(0x0020_0013, 'IS', evenText('1', ' ')),
    element(0x0028_0002, 'US', uint16le(1)),
    element(0x0028_0004, 'CS', evenText('MONOCHROME2', ' ')),
    element(0x0028_0010, 'US', uint16le(512)),
    element(0x0028_0011, 'US', uint16le(512)),
    element(0x0028_0100, 'US', uint16le(16)),
    element(0x0028_0101, 'US', uint16le(16)),
    element(0x0028_0102, 'US', uint16le(15)),
    element(0x0028_0103, 'US', uint16le(0)),
  ])
  // Pixel Data: one even length, or an empty offset table and one fragment (PS3.5 A.4).
  const tail = isEncapsulated ? itemOf(0xe0dd, 0) : Buffer.alloc(0)
  const pixelHeaderBytes = isEncapsulated ? 28 : isExplicit ? 12 : 8
  const remaining = Math.max(2, sizeBytes - attributes.length - pixelHeaderBytes - tail.length)
  // Not by bits, which end at 2 GiB.
  const pixelBytes = remaining - (remaining % 2)
  const pixelHeader = isEncapsulated
    ? Buffer.concat([
        element(0x7fe0_0010, 'OB', Buffer.alloc(0), UNDEFINED_LENGTH),
        itemOf(0xe000, 0),
        itemOf(0xe000, pixelBytes),
      ])
    : element(0x7fe0_0010, 'OW', Buffer.alloc(0), pixelBytes)
  return { head: Buffer.concat([attributes, pixelHeader]), pixelBytes, tail }
}

export function elementOf(tag, vr, value, length, isExplicit) {
  const isLong = isExplicit && LONG_LENGTH_VRS.has(vr)
  const header = Buffer.alloc(isLong ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  if (isExplicit) header.write(vr, 4, 'latin1')
  if (isLong) header.writeUInt32LE(length, 8)
  else if (isExplicit) header.writeUInt16LE(length, 6)
  else header.writeUInt32LE(length, 4)
  return Buffer.concat([header, value])
}

function itemOf(element, length) {
  const header = Buffer.alloc(8)
  header.writeUInt16LE(0xfffe, 0)
  header.writeUInt16LE(element, 2)
  header.writeUInt32LE(length, 4)
  return header
}
