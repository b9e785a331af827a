import { encodeCommandSet, SopClass, StudyRoot, TransferSyntax } from '@dicomtap/framework'
import type { Association, CommandSet } from '@dicomtap/framework'
import type { AnswerScenario } from './answer-scenario.js'
import {
  APPLICATION_CONTEXT,
  fixedFields,
  IMPLEMENTATION,
  item,
  maximumLength,
  NO_DATA_SET,
  pData,
  pDataOf,
  pdu,
  pdv,
  REJECT,
  RELEASE,
  RELEASE_RP,
  request,
  transferSyntax,
  userInformation,
} from './bytes.js'
import type { FixedFields } from './bytes.js'

const ECHO_CONTEXT_ID = 1
const FIND_CONTEXT_ID = 3

/** A presentation context item of an A-ASSOCIATE-AC, 0x21: ID, reserved, result, reserved, sub-items (PS3.8 9.3.3.2). */
const result = (id: number, code: number, ...subItems: readonly Uint8Array[]): Buffer => item(0x21, Buffer.from([id, 0, code, 0]), ...subItems)
const RESULTS = [result(ECHO_CONTEXT_ID, 0, transferSyntax()), result(FIND_CONTEXT_ID, 0, transferSyntax())]
const acceptOf = (fields: FixedFields, ...items: readonly Uint8Array[]): Buffer => pdu(0x02, Buffer.concat([fixedFields(fields), ...items]))
const accepting = (...results: readonly Uint8Array[]): Buffer => acceptOf({}, APPLICATION_CONTEXT, ...results, userInformation())
export const ACCEPT: Buffer = accepting(...RESULTS)

const echo = (association: Association): Promise<unknown> => association.cEcho()
async function find(association: Association): Promise<unknown> {
  for await (const { status } of association.cFind({ PatientID: '' }, { model: StudyRoot.Find })) if (status !== 0xff00) return status
  return undefined
}
const release = (association: Association): Promise<unknown> => association.release()

const ECHO_RSP: CommandSet = { commandField: 0x8030, messageIdBeingRespondedTo: 1, affectedSopClassUid: SopClass.Verification, commandDataSetType: NO_DATA_SET, status: 0 }
const FIND_RSP: CommandSet = { ...ECHO_RSP, commandField: 0x8020, affectedSopClassUid: StudyRoot.Find }
const echoRsp = (changes: Partial<CommandSet> = {}, id = ECHO_CONTEXT_ID): Buffer => pData(id, 3, encodeCommandSet({ ...ECHO_RSP, ...changes }))
const findRsp = (changes: Partial<CommandSet> = {}): Buffer => pData(FIND_CONTEXT_ID, 3, encodeCommandSet({ ...FIND_RSP, ...changes }))
const WITH_DATA_SET = { commandDataSetType: 1 }

/** Answers to an A-ASSOCIATE-RQ of this side: Sta5. */
export const TO_ASSOCIATE: Readonly<Record<string, AnswerScenario>> = {
  'no answer to an A-ASSOCIATE-RQ': { options: { timeouts: { acseMs: 200 } }, accept: undefined },
  'the end of the connection in place of an answer': { accept: undefined, isClosed: true },
  'an A-ASSOCIATE-RJ': { accept: REJECT },
  'an A-ASSOCIATE-RJ with numbers that no table has': { accept: pdu(0x03, Buffer.from([0, 9, 9, 9])) },
  'an A-ASSOCIATE-RJ of a wrong length': { accept: pdu(0x03, Buffer.from([0, 1, 1, 1, 0])) },
  'an HTTP response': { accept: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
  'an A-ASSOCIATE-RQ as the answer to one': { accept: request() },
  'P-DATA before an A-ASSOCIATE-AC': { accept: echoRsp() },
  'an A-RELEASE-RQ before an A-ASSOCIATE-AC': { accept: RELEASE },
  'an A-ASSOCIATE-AC longer than `limits.maximumAssociatePduBytes`': { accept: pdu(0x02, Buffer.alloc(0), 0x7fff_ffff) },
  'an A-ASSOCIATE-AC whose items do not fit their lengths': { accept: acceptOf({}, Buffer.from([0x50, 0, 0xff, 0xff])) },
  'an A-ASSOCIATE-AC whose protocol version lacks bit 0': { accept: acceptOf({ version: 2 }, APPLICATION_CONTEXT, ...RESULTS, userInformation()) },
  'an A-ASSOCIATE-AC with other AE titles and reserved bytes': { accept: acceptOf({ called: 'X', calling: 'Y', reserved: 0xff }, APPLICATION_CONTEXT, ...RESULTS, userInformation()), invoke: echo, answers: [echoRsp()] },
  'an A-ASSOCIATE-AC with another application context, or none': { accept: acceptOf({}, ...RESULTS, userInformation()), invoke: echo, answers: [echoRsp()] },
  'an A-ASSOCIATE-AC with items of unknown types, in another order': { accept: acceptOf({}, item(0x7f, 'x'), userInformation(item(0x7f, 'x')), ...RESULTS, APPLICATION_CONTEXT), invoke: echo, answers: [echoRsp()] },
  'an A-ASSOCIATE-AC without user information': { accept: acceptOf({}, APPLICATION_CONTEXT, ...RESULTS), invoke: echo, answers: [echoRsp()] },
  'an A-ASSOCIATE-AC whose maximum length lets no data through': { accept: acceptOf({}, APPLICATION_CONTEXT, ...RESULTS, item(0x50, maximumLength(6), IMPLEMENTATION)) },
  'an A-ASSOCIATE-AC for a context that was not proposed': { accept: accepting(...RESULTS, result(99, 0, transferSyntax())) },
  'an A-ASSOCIATE-AC with a context ID twice': { accept: accepting(...RESULTS, RESULTS[0]!) },
  'an A-ASSOCIATE-AC with a transfer syntax that was not proposed': { accept: accepting(result(ECHO_CONTEXT_ID, 0, transferSyntax(TransferSyntax.DeflatedExplicitVRLittleEndian))) },
  'an A-ASSOCIATE-AC with two transfer syntaxes in a context': { accept: accepting(result(ECHO_CONTEXT_ID, 0, transferSyntax(), transferSyntax())) },
  'an A-ASSOCIATE-AC with an accepted context without a transfer syntax': { accept: accepting(result(ECHO_CONTEXT_ID, 0)) },
  'an A-ASSOCIATE-AC with a rejected context without a transfer syntax, or with a wrong one': { accept: accepting(RESULTS[0]!, result(FIND_CONTEXT_ID, 3, transferSyntax('x'.repeat(200)))), invoke: echo, answers: [echoRsp()] },
  'an A-ASSOCIATE-AC that leaves out a context': { accept: accepting(RESULTS[0]!), invoke: echo, answers: [echoRsp()] },
  'an A-ASSOCIATE-AC that accepts no context': { accept: accepting(result(ECHO_CONTEXT_ID, 3, transferSyntax()), result(FIND_CONTEXT_ID, 4, transferSyntax())) },
  'an A-ASSOCIATE-AC with results that no table has': { accept: accepting(result(ECHO_CONTEXT_ID, 77, transferSyntax())) },
}

/** Answers to a request in an association: Sta6. */
export const TO_REQUESTS: Readonly<Record<string, AnswerScenario>> = {
  'no response to a request': { options: { timeouts: { dimseMs: 200 } }, invoke: echo, answers: [] },
  'half a response, then silence': { options: { timeouts: { dimseMs: 300 } }, invoke: echo, answers: [pData(ECHO_CONTEXT_ID, 1, Buffer.alloc(8))] },
  'the end of the connection in place of a response': { invoke: echo, isClosed: true },
  'an A-ABORT in place of a response': { invoke: echo, answers: [pdu(0x07, Buffer.from([0, 0, 2, 6]))] },
  'an A-RELEASE-RQ in place of a response': { invoke: echo, answers: [RELEASE] },
  'a response of another service': { invoke: echo, answers: [echoRsp({ commandField: 0x8001 })] },
  'a response to another message': { invoke: echo, answers: [echoRsp({ messageIdBeingRespondedTo: 77 })] },
  'a response on another context': { invoke: echo, answers: [echoRsp({}, FIND_CONTEXT_ID)] },
  'a response without a status': { invoke: echo, answers: [echoRsp({ status: undefined })] },
  'a response with a status that no table has': { invoke: echo, answers: [echoRsp({ status: 0x1234 })] },
  'a Pending response to a C-ECHO': { invoke: echo, answers: [echoRsp({ status: 0xff00 })] },
  'a data set with the response to a C-ECHO': { invoke: echo, answers: [echoRsp(WITH_DATA_SET)] },
  'a Pending response to a C-FIND without an identifier': { invoke: find, answers: [findRsp({ status: 0xff00 })] },
  'an identifier with the last response to a C-FIND': { invoke: find, answers: [findRsp(WITH_DATA_SET), pData(FIND_CONTEXT_ID, 2, Buffer.alloc(0))] },
  'a response whose data set cannot be decoded': { invoke: find, answers: [findRsp({ status: 0xff00, ...WITH_DATA_SET }), pData(FIND_CONTEXT_ID, 2, Buffer.from('no data set'))] },
  'a response whose data set is nested 20 000 deep': {
    invoke: find,
    // (0040,A730) SQ and an item in it, both of undefined length, again and again.
    answers: [findRsp({ status: 0xff00, ...WITH_DATA_SET }), ...Array.from({ length: 20 }, (_, index) => pData(FIND_CONTEXT_ID, index === 19 ? 2 : 0, Buffer.alloc(16_000, Buffer.from('400030a7fffffffffeff00e0ffffffff', 'hex'))))],
  },
  'the final response twice': { invoke: echo, answers: [echoRsp(), echoRsp()], isReadOn: true },
  'a C-ECHO to this side, which is SCU': { answers: [pData(ECHO_CONTEXT_ID, 3, encodeCommandSet({ commandField: 0x0030, messageId: 1, affectedSopClassUid: SopClass.Verification, commandDataSetType: NO_DATA_SET }))], isReadOn: true },
  'a C-CANCEL to this side, which performs nothing': { invoke: echo, answers: [pData(ECHO_CONTEXT_ID, 3, encodeCommandSet({ commandField: 0x0fff, messageIdBeingRespondedTo: 1, commandDataSetType: NO_DATA_SET })), echoRsp()] },
  'P-DATA of another message inside a response': { invoke: find, answers: [findRsp({ status: 0xff00, ...WITH_DATA_SET }), echoRsp()] },
  'a PDV on a context that was rejected': { accept: accepting(RESULTS[0]!, result(FIND_CONTEXT_ID, 3, transferSyntax())), invoke: echo, answers: [findRsp()] },
  'a response in many PDVs': { invoke: echo, answers: [pDataOf(...[...encodeCommandSet(ECHO_RSP)].map((byte, index, all) => pdv(ECHO_CONTEXT_ID, index === all.length - 1 ? 3 : 1, Uint8Array.of(byte))))] },
  'no answer to an A-RELEASE-RQ': { options: { timeouts: { acseMs: 400 } }, invoke: release, isReadOn: true },
  'a second A-ASSOCIATE-AC': { invoke: echo, answers: [ACCEPT] },
  'an A-RELEASE-RP nobody asked for': { invoke: echo, answers: [RELEASE_RP] },
  'an A-ASSOCIATE-RJ after an A-ASSOCIATE-AC': { invoke: echo, answers: [REJECT] },
  'an A-ASSOCIATE-RQ in an association of this side': { invoke: echo, answers: [request()] },
}
