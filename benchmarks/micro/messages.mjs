// The bytes that the benchmarks work on, made once.
import { DataSetHeadParser, encodeCommandSet, encodePdu } from '@dicomtap/framework'
import { dataSet } from '../load/data-set.mjs'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES, VERIFICATION, sopInstanceUid } from '../load/uids.mjs'

export const MAXIMUM_PDU_BYTES = 262_144
export const CHUNK_BYTES = 65_536

export const echoRequest = {
  affectedSopClassUid: VERIFICATION,
  commandField: 0x0030,
  messageId: 7,
  commandDataSetType: 0x0101,
}
export const storeRequest = {
  affectedSopClassUid: CT_IMAGE_STORAGE,
  commandField: 0x0001,
  messageId: 7,
  priority: 0,
  commandDataSetType: 0x0001,
  affectedSopInstanceUid: sopInstanceUid(0, 1),
}
export const storeResponse = {
  affectedSopClassUid: CT_IMAGE_STORAGE,
  commandField: 0x8001,
  messageIdBeingRespondedTo: 7,
  commandDataSetType: 0x0101,
  status: 0x0000,
  affectedSopInstanceUid: storeRequest.affectedSopInstanceUid,
}

/** A data set of `sizeBytes`, encoded explicit VR little endian. */
export function encodedDataSet(sizeBytes) {
  const { head, pixelBytes, tail } = dataSet({
    transferSyntax: TRANSFER_SYNTAXES.explicit,
    sizeBytes,
    sopInstanceUid: storeRequest.affectedSopInstanceUid,
  })
  return Buffer.concat([head, Buffer.alloc(pixelBytes, 0x5a), tail])
}

/** A whole C-STORE request as PDUs. */
export function storeMessage(sizeBytes) {
  const data = encodedDataSet(sizeBytes)
  const pdus = [pData(true, true, encodeCommandSet(storeRequest))]
  const fragmentBytes = MAXIMUM_PDU_BYTES - 6
  for (let at = 0; at < data.length; at += fragmentBytes) {
    pdus.push(pData(false, at + fragmentBytes >= data.length, data.subarray(at, at + fragmentBytes)))
  }
  return Buffer.concat(pdus)
}

export function echoMessage() {
  return pData(true, true, encodeCommandSet(echoRequest))
}

/** Bytes as a socket gives them. */
export function chunksOf(bytes, chunkBytes = CHUNK_BYTES) {
  const chunks = []
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes))
  return chunks
}

/** An A-ASSOCIATE-RQ with `contexts` presentation contexts of three transfer syntaxes each. */
export function associateRequest(contexts) {
  const transferSyntaxes = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2', '1.2.840.10008.1.2.4.70']
  return {
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: 1,
    calledAeTitle: 'ARCHIVE',
    callingAeTitle: 'MODALITY',
    applicationContextName: '1.2.840.10008.3.1.1.1',
    presentationContexts: Array.from({ length: contexts }, (_, index) => ({
      id: index * 2 + 1,
      abstractSyntax: CT_IMAGE_STORAGE,
      transferSyntaxes,
    })),
    userInformation: [
      { type: 0x51, maximumLengthReceived: 131_072 },
      { type: 0x52, implementationClassUid: '1.2.840.10008.1.2.3.4' },
      { type: 0x55, implementationVersionName: 'MODALITY_1' },
    ],
  }
}

export function headParser() {
  // The UIDs that decide where an object is stored: SOP class, SOP instance, study, series.
  return new DataSetHeadParser(TRANSFER_SYNTAXES.explicit, [0x0008_0016, 0x0008_0018, 0x0020_000d, 0x0020_000e])
}

function pData(isCommand, isLast, data) {
  return encodePdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 1, isCommand, isLast, data }] })
}
