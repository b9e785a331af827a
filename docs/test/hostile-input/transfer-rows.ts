import {
  ABORT,
  command,
  commandOf,
  commandWith,
  commandWithout,
  CONTEXT_ID,
  DATA_SET,
  element,
  elementsOf,
  OTHER_CONTEXT_ID,
  pData,
  pDataOf,
  pdu,
  pdv,
  REJECT,
  RELEASE,
  RELEASE_RP,
  request,
  STORE,
  us,
  withoutDataSet,
} from './bytes.js'
import type { Scenario } from './scenario.js'
import { encodeCommandSet } from '@dicomtap/framework'

const COMMAND = encodeCommandSet({ ...STORE, affectedSopInstanceUid: '2.25.1' })
const DATA = Buffer.from([0x08, 0, 0x18, 0, 0, 0, 0, 0])
const pieces = (bytes: Buffer, id: number, control: number): Buffer[] =>
  Array.from(bytes, (byte, index) => pdv(id, index === bytes.length - 1 ? control | 2 : control, Uint8Array.of(byte)))

/** PDUs in an association: Sta3, Sta6, Sta8. */
export const PDUS: Readonly<Record<string, Scenario>> = {
  'an unknown PDU type in an association': { next: [pdu(0x0a, Buffer.alloc(4))] },
  'PDU type 0 in an association': { next: [pdu(0x00, Buffer.alloc(4))] },
  'P-DATA before the answer to its A-ASSOCIATE-RQ': { first: Buffer.concat([request(), command()]) },
  'an A-RELEASE-RQ before the answer to its A-ASSOCIATE-RQ': { first: Buffer.concat([request(), RELEASE]) },
  'a second A-ASSOCIATE-RQ': { next: [request()] },
  'an A-ASSOCIATE-AC in an association': { next: [pdu(0x02, request().subarray(6))] },
  'an A-ASSOCIATE-RJ in an association': { next: [REJECT] },
  'an A-RELEASE-RP that nobody asked for': { next: [RELEASE_RP] },
  // The first request keeps the association in Sta8, waiting for the end of its handler.
  'P-DATA after its own A-RELEASE-RQ': { next: [command(), DATA_SET, RELEASE, command({ messageId: 2 })] },
  'a second A-RELEASE-RQ': { next: [command(), DATA_SET, RELEASE, RELEASE] },
  'an A-RELEASE-RQ of a wrong length': { next: [pdu(0x05, Buffer.alloc(8))] },
  'an A-RELEASE-RQ that claims 4 GiB': { next: [pdu(0x05, Buffer.alloc(0), 0xffff_ffff)] },
  'an A-RELEASE-RQ whose reserved bytes are not zero': { next: [Buffer.from([5, 0xff, 0, 0, 0, 4, 1, 2, 3, 4])] },
  'an A-ABORT of a wrong length': { next: [pdu(0x07, Buffer.alloc(0))] },
  'an A-ABORT': { next: [ABORT] },
  'an A-ABORT with a source and a reason that no table has': { next: [pdu(0x07, Buffer.from([9, 9, 9, 9]))] },
  'an A-ABORT inside a message': { next: [pData(CONTEXT_ID, 1, COMMAND), ABORT] },
  'half a PDU, then silence': { options: { timeouts: { networkMs: 50 } }, next: [command().subarray(0, 8)] },
  'half a message, then silence': { options: { timeouts: { dimseMs: 50 } }, next: [command()] },
  'a message that gets on more slowly than `limits.minimumProgressBytes`': { options: { timeouts: { dimseMs: 200 } }, next: [command()], trickle: pData(CONTEXT_ID, 0, Buffer.alloc(1)) },
  'nothing in an established association': { options: { timeouts: { networkMs: 50 } }, next: [] },
  'an association that lasts longer than `timeouts.associationMs`': { options: { timeouts: { associationMs: 50 } }, next: [] },
}

/** P-DATA-TF and the PDVs in it. */
export const P_DATA: Readonly<Record<string, Scenario>> = {
  'a P-DATA-TF longer than `limits.maximumPduBytes`': { options: { limits: { maximumPduBytes: 4096 } }, next: [pdu(0x04, Buffer.alloc(0), 4097)] },
  'a P-DATA-TF without a PDV': { next: [pdu(0x04, Buffer.alloc(0))] },
  'a PDV of a length below 2': { next: [pdu(0x04, Buffer.from([0, 0, 0, 1, 1, 3]))] },
  'a PDV longer than its P-DATA-TF': { next: [pdu(0x04, Buffer.from([0, 0, 0, 9, 1, 3, 0, 0]))] },
  'a PDV that claims 4 GiB': { next: [pDataOf(pdv(CONTEXT_ID, 3, COMMAND, 0xffff_ffff))] },
  'bytes behind the last PDV': { next: [pDataOf(pdv(CONTEXT_ID, 1, Buffer.alloc(8)), Buffer.alloc(3))] },
  'a PDV on presentation context ID 0': { next: [pData(0, 3, COMMAND)] },
  'a PDV on an even presentation context ID': { next: [pData(2, 3, Buffer.alloc(8))] },
  'a PDV on a context that was not accepted': { next: [pData(99, 3, Buffer.alloc(8))] },
  'a data set without a command': { next: [DATA_SET] },
  'a data set twice': { next: [command({ affectedSopInstanceUid: '2.25.7' }), DATA_SET, DATA_SET] },
  'a fragment of another context inside a message': { next: [pData(CONTEXT_ID, 1, Buffer.alloc(8)), pData(OTHER_CONTEXT_ID, 1, Buffer.alloc(8))] },
  'a data set on another context than its command': { next: [command(), pData(OTHER_CONTEXT_ID, 2, DATA)] },
  'two messages fragment by fragment': { next: [command(), pData(CONTEXT_ID, 0, DATA), command({}, OTHER_CONTEXT_ID)] },
  'a command fragment inside a data set': { next: [command(), command()] },
  'a data set fragment inside a command': { next: [pData(CONTEXT_ID, 1, Buffer.alloc(8)), DATA_SET] },
  'bits 2 to 7 of a message control header': { next: [pDataOf(pdv(CONTEXT_ID, 0xff, COMMAND), pdv(CONTEXT_ID, 0xfe, DATA))] },
  'command and data set in one P-DATA-TF': { next: [pDataOf(pdv(CONTEXT_ID, 3, COMMAND), pdv(CONTEXT_ID, 0, DATA), pdv(CONTEXT_ID, 0, DATA), pdv(CONTEXT_ID, 2, DATA))] },
  'more empty PDVs one after the other than `limits.maximumEmptyFragments`': { next: [command(), pDataOf(...Array.from({ length: 65 }, () => pdv(CONTEXT_ID, 0, Buffer.alloc(0))))] },
  'a PDV for each byte, and empty ones between': {
    next: [pDataOf(...pieces(COMMAND, CONTEXT_ID, 1), pdv(CONTEXT_ID, 0, Buffer.alloc(0)), ...pieces(DATA, CONTEXT_ID, 0))],
  },
}

const FIELD = element(0x0100, us(0x0001))

/** Command sets (PS3.7 6.3, annex E). */
export const COMMAND_SETS: Readonly<Record<string, Scenario>> = {
  'a command set longer than `limits.maximumCommandSetBytes`': { options: { limits: { maximumCommandSetBytes: 1024 } }, next: [pData(CONTEXT_ID, 3, Buffer.alloc(1026))] },
  'a command set that cannot be read': { next: [commandOf(Buffer.from('not a command'))] },
  'an empty command set': { next: [commandOf(Buffer.alloc(0))] },
  'a command set that ends inside an element': { next: [commandOf(Buffer.concat([FIELD, element(0x0002, '1.2', 100)]))] },
  'an element of undefined length in a command set': { next: [commandOf(Buffer.concat([FIELD, element(0x0002, '', 0xffff_ffff)]))] },
  'an element of another group in a command set': { next: [commandOf(Buffer.concat([FIELD, element(0x0010, 'Doe^Jane', undefined, 0x0010)]))] },
  'an element twice in a command set': { next: [commandOf(Buffer.concat([FIELD, FIELD]))] },
  'a command without a Command Field': { next: [commandWithout(0x0100)] },
  'a Command Field of one byte': { next: [commandWith(element(0x0100, Uint8Array.of(1)))] },
  'a file with its preamble in place of a command set': { next: [commandOf(Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]))] },
  'a request without a Message ID': { next: [commandWithout(0x0110)] },
  'a command set without its group length, or with a wrong one': {
    next: [commandOf(Buffer.concat([element(0x0000, Buffer.alloc(4, 0xff)), ...elementsOf({ ...STORE, affectedSopInstanceUid: '2.25.1' }).slice(1)])), DATA_SET],
  },
  'the elements of a command set in another order': { next: [commandOf(Buffer.concat(elementsOf({ ...STORE, affectedSopInstanceUid: '2.25.1' }).reverse())), DATA_SET] },
  'elements that no command has': {
    next: [commandOf(Buffer.concat([...elementsOf({ ...STORE, affectedSopInstanceUid: '2.25.1' }), element(0x5010, us(1)), element(0xffff, 'x ')])), DATA_SET],
  },
  'a UID padded with a space in a command set': { next: [commandOf(Buffer.concat([...elementsOf(STORE).filter((bytes) => bytes.readUInt16LE(2) !== 0x1000), element(0x1000, '2.25.1  ')])), DATA_SET] },
  'a response that answers no request': { next: [withoutDataSet({ commandField: 0x8001, messageIdBeingRespondedTo: 99, messageId: undefined, status: 0 })] },
}
