import test from 'ava'
import {
  answerExtendedNegotiation,
  ApplicationEntity,
  commonExtendedNegotiation,
  CompositeInstanceRoot,
  CompositeInstanceWithoutBulkData,
  decodeExtendedNegotiation,
  decodeFindNegotiation,
  decodeRetrieveNegotiation,
  decodeStorageNegotiation,
  decodeWorklistNegotiation,
  DicomtapError,
  encodeFindNegotiation,
  encodePdu,
  encodeRetrieveNegotiation,
  encodeStorageNegotiation,
  encodeWorklistNegotiation,
  extendedNegotiationOf,
  HangingProtocol,
  ModalityWorklist,
  PatientRoot,
  presentationContextsFor,
  queryNegotiation,
  RepositoryQuery,
  retrieveNegotiation,
  serviceClassByUid,
  serviceClassOf,
  SopClass,
  storageNegotiation,
  StudyRoot,
  UnifiedProcedureStep,
} from '@dicomtap/framework'
import type { FindNegotiation, RetrieveNegotiation, SopClassExtended, StorageNegotiation, UserItem } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import { associateRequest } from '../../dist/testing/associate-request.js'
import { CT_IMAGE, STUDY_ROOT_FIND, VERIFICATION } from '../support/uids.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const item = (sopClassUid: string, ...values: number[]): SopClassExtended => ({
  type: 0x56,
  sopClassUid,
  serviceClassApplicationInformation: bytes(...values),
})

const NO_FIND: FindNegotiation = {
  relationalQueries: false,
  dateTimeMatching: false,
  fuzzySemanticMatching: false,
  timezoneQueryAdjustment: false,
  enhancedMultiFrameImageConversion: false,
  emptyValueMatching: false,
  multipleValueMatching: false,
}
const NO_RETRIEVE: RetrieveNegotiation = { relationalRetrieval: false, enhancedMultiFrameImageConversion: false }
const SCU_ONLY: StorageNegotiation = { levelOfSupport: 3, levelOfDigitalSignatureSupport: 0, elementCoercion: 2 }

// ── C-FIND (PS3.4 tables C.5-1 and C.5-2) ────────────────────────────────────────────────────────────────

const FIND_BYTES: readonly (readonly [keyof FindNegotiation, Uint8Array])[] = [
  ['relationalQueries', bytes(1)],
  ['dateTimeMatching', bytes(0, 1)],
  ['fuzzySemanticMatching', bytes(0, 0, 1)],
  ['timezoneQueryAdjustment', bytes(0, 0, 0, 1)],
  ['enhancedMultiFrameImageConversion', bytes(0, 0, 0, 0, 1)],
  ['emptyValueMatching', bytes(0, 0, 0, 0, 0, 1)],
  ['multipleValueMatching', bytes(0, 0, 0, 0, 0, 0, 1)],
]

test('C-FIND: each option has its byte, and no more bytes are sent than say something', (t) => {
  for (const [option, expected] of FIND_BYTES) {
    t.deepEqual(encodeFindNegotiation({ [option]: true }), expected, option)
    t.deepEqual(decodeFindNegotiation(expected), { ...NO_FIND, [option]: true }, option)
  }
  t.deepEqual(encodeFindNegotiation({}), bytes(0), 'byte 1 is mandatory')
  t.deepEqual(encodeFindNegotiation({ relationalQueries: true, fuzzySemanticMatching: true, timezoneQueryAdjustment: false }), bytes(1, 0, 1))
  t.deepEqual(encodeFindNegotiation(Object.fromEntries(FIND_BYTES.map(([option]) => [option, true]))), bytes(1, 1, 1, 1, 1, 1, 1))
})

test('C-FIND: short, long, empty and odd fields of peers', (t) => {
  t.deepEqual(decodeFindNegotiation(bytes()), NO_FIND)
  t.deepEqual(decodeFindNegotiation(bytes(1)), { ...NO_FIND, relationalQueries: true }, 'missing bytes are 0 (C.5.1.1)')
  t.deepEqual(decodeFindNegotiation(bytes(0, 0, 0, 0, 0, 0, 0, 1, 1, 1)), NO_FIND)
  t.deepEqual(decodeFindNegotiation(bytes(2, 0xff, 1)), { ...NO_FIND, fuzzySemanticMatching: true }, 'only 1 is yes')
})

// ── worklists (PS3.4 K.5.1) ──────────────────────────────────────────────────────────────────────────────

test('worklist: bytes 1 and 2 are always 1, three or four bytes', (t) => {
  t.deepEqual(encodeWorklistNegotiation({}), bytes(1, 1, 0))
  t.deepEqual(encodeWorklistNegotiation({ fuzzySemanticMatching: true }), bytes(1, 1, 1))
  t.deepEqual(encodeWorklistNegotiation({ timezoneQueryAdjustment: true }), bytes(1, 1, 0, 1))
  t.deepEqual(decodeWorklistNegotiation(bytes(1, 1, 1)), { fuzzySemanticMatching: true, timezoneQueryAdjustment: false })
  t.deepEqual(decodeWorklistNegotiation(bytes(1, 1, 0, 1, 1)), { fuzzySemanticMatching: false, timezoneQueryAdjustment: true })
  t.deepEqual(decodeWorklistNegotiation(bytes()), { fuzzySemanticMatching: false, timezoneQueryAdjustment: false })
})

// ── C-MOVE and C-GET (PS3.4 tables C.5-3 and C.5-4) ──────────────────────────────────────────────────────

test('C-MOVE and C-GET: relational retrieval in byte 1, enhanced multi-frame conversion in byte 2', (t) => {
  t.deepEqual(encodeRetrieveNegotiation({}), bytes(0))
  t.deepEqual(encodeRetrieveNegotiation({ relationalRetrieval: true }), bytes(1))
  t.deepEqual(encodeRetrieveNegotiation({ enhancedMultiFrameImageConversion: true }), bytes(0, 1))
  t.deepEqual(decodeRetrieveNegotiation(bytes(1)), { ...NO_RETRIEVE, relationalRetrieval: true })
  t.deepEqual(decodeRetrieveNegotiation(bytes(0, 1, 1)), { ...NO_RETRIEVE, enhancedMultiFrameImageConversion: true })
  t.deepEqual(decodeRetrieveNegotiation(bytes()), NO_RETRIEVE)
})

// ── storage (PS3.4 tables B.3-1 and B.3-2) ───────────────────────────────────────────────────────────────

test('storage: level in byte 1, signatures in byte 3, coercion in byte 5, reserved ones 0', (t) => {
  t.deepEqual(encodeStorageNegotiation({ levelOfSupport: 2, levelOfDigitalSignatureSupport: 3, elementCoercion: 1 }), bytes(2, 0, 3, 0, 1, 0))
  t.deepEqual(encodeStorageNegotiation({}), bytes(3, 0, 0, 0, 2, 0), 'an SCU that is no SCP')
  t.deepEqual(decodeStorageNegotiation(bytes(2, 0, 3, 0, 1, 0)), { levelOfSupport: 2, levelOfDigitalSignatureSupport: 3, elementCoercion: 1 })
  t.deepEqual(decodeStorageNegotiation(bytes(0, 9, 0, 9, 0, 9)), { levelOfSupport: 0, levelOfDigitalSignatureSupport: 0, elementCoercion: 0 })
})

test('storage: what a peer leaves out or says wrongly is as without negotiation', (t) => {
  t.deepEqual(decodeStorageNegotiation(bytes()), SCU_ONLY)
  t.deepEqual(decodeStorageNegotiation(bytes(1)), { ...SCU_ONLY, levelOfSupport: 1 })
  t.deepEqual(decodeStorageNegotiation(bytes(1, 0, 2)), { ...SCU_ONLY, levelOfSupport: 1, levelOfDigitalSignatureSupport: 2 })
  t.deepEqual(decodeStorageNegotiation(bytes(4, 0, 7, 0, 3, 0, 1, 1)), SCU_ONLY)
})

// ── items by SOP class ───────────────────────────────────────────────────────────────────────────────────

test('items for requestors are encoded as their SOP class has it', (t) => {
  t.deepEqual(queryNegotiation(StudyRoot.Find, { relationalQueries: true }), item('1.2.840.10008.5.1.4.1.2.2.1', 1))
  t.deepEqual(queryNegotiation(RepositoryQuery.Find, { emptyValueMatching: true }), item('1.2.840.10008.5.1.4.1.1.201.6', 0, 0, 0, 0, 0, 1))
  t.deepEqual(queryNegotiation(ModalityWorklist.Find, { relationalQueries: false, fuzzySemanticMatching: true }), item('1.2.840.10008.5.1.4.31', 1, 1, 1))
  t.deepEqual(queryNegotiation(UnifiedProcedureStep.Find, { timezoneQueryAdjustment: true }), item('1.2.840.10008.5.1.4.34.6.3', 1, 1, 0, 1))
  t.deepEqual(queryNegotiation(HangingProtocol.Find, {}), item('1.2.840.10008.5.1.4.38.2', 1, 1, 0))
  t.deepEqual(retrieveNegotiation(PatientRoot.Move, { relationalRetrieval: true }), item('1.2.840.10008.5.1.4.1.2.1.2', 1))
  t.deepEqual(retrieveNegotiation(StudyRoot.Get, { enhancedMultiFrameImageConversion: true }), item('1.2.840.10008.5.1.4.1.2.2.3', 0, 1))
  t.deepEqual(storageNegotiation(CT_IMAGE, { levelOfSupport: 2 }), item(CT_IMAGE, 2, 0, 0, 0, 2, 0))
})

test('composite instances: byte 1 is unused (PS3.4 Y.5.1.1)', (t) => {
  const all = { relationalRetrieval: true, enhancedMultiFrameImageConversion: true }
  t.deepEqual(retrieveNegotiation(CompositeInstanceRoot.Get, all), item('1.2.840.10008.5.1.4.1.2.4.3', 0, 1))
  t.deepEqual(answerExtendedNegotiation(item(CompositeInstanceWithoutBulkData.Get, 1, 1), all), item('1.2.840.10008.5.1.4.1.2.5.3', 0, 1))
})

test('bytes that would mean something else there are not sent', (t) => {
  for (const send of [
    () => queryNegotiation(StudyRoot.Move, {}),
    () => queryNegotiation(VERIFICATION, {}),
    () => queryNegotiation(SopClass.SubstanceApprovalQuery, {}), // PS3.4 V.1.4: not used
    () => queryNegotiation(SopClass.GeneralRelevantPatientInformationQuery, {}), // PS3.4 Q.3: not defined
    () => retrieveNegotiation(StudyRoot.Find, {}),
    () => retrieveNegotiation(HangingProtocol.Move, {}), // PS3.4 U.4.2: no extended behavior
    () => storageNegotiation('1.2.826.0.1.99.1', {}),
  ]) {
    t.throws(send, { instanceOf: DicomtapError, code: 'DICOMTAP_ERR_ACSE_REQUEST' }, String(send))
  }
})

test('items are read with names; of classes without a definition there are none', (t) => {
  t.deepEqual(decodeExtendedNegotiation(item(StudyRoot.Find, 1)), { kind: 'find', ...NO_FIND, relationalQueries: true })
  t.deepEqual(decodeExtendedNegotiation(item(SopClass.UnifiedProcedureStepWatch, 1, 1, 1)), {
    kind: 'worklist',
    fuzzySemanticMatching: true,
    timezoneQueryAdjustment: false,
  })
  t.deepEqual(decodeExtendedNegotiation(item(StudyRoot.Get, 1)), { kind: 'retrieve', ...NO_RETRIEVE, relationalRetrieval: true })
  t.deepEqual(decodeExtendedNegotiation(item(CT_IMAGE, 0)), { kind: 'storage', ...SCU_ONLY, levelOfSupport: 0 })
  t.is(decodeExtendedNegotiation(item(VERIFICATION, 1)), undefined)
  t.is(decodeExtendedNegotiation(item('1.2.3', 1)), undefined)
  const userInformation: readonly UserItem[] = [
    { type: 0x51, maximumLengthReceived: 0 },
    { type: 0x56, unknown: true, data: bytes(1) },
    item(CT_IMAGE, 2, 0, 0, 0, 0, 0),
    item(StudyRoot.Find, 1, 1),
  ]
  t.deepEqual(extendedNegotiationOf(userInformation, StudyRoot.Find), { kind: 'find', ...NO_FIND, relationalQueries: true, dateTimeMatching: true })
  t.is(extendedNegotiationOf(userInformation, PatientRoot.Find), undefined)
})

// ── answers ──────────────────────────────────────────────────────────────────────────────────────────────

test('an answer grants what was proposed and is supported', (t) => {
  const supported = { relationalQueries: true, fuzzySemanticMatching: true, timezoneQueryAdjustment: true }
  const answered = (...proposed: number[]): Uint8Array | undefined =>
    answerExtendedNegotiation(item(StudyRoot.Find, ...proposed), supported)?.serviceClassApplicationInformation
  t.deepEqual(answered(1, 1, 1, 0, 1), bytes(1, 0, 1, 0), 'not combined date-time, not the time zone that nobody asked for')
  t.deepEqual(answered(0, 1), bytes(0, 0))
  t.deepEqual(answered(1), bytes(1), 'one byte for one byte (C.5.1.1)')
  t.deepEqual(answered(), bytes(0))
  t.deepEqual(answered(1, 0, 0, 0, 0, 0, 0, 1, 1), bytes(1, 0, 0, 0))
  t.deepEqual(answerExtendedNegotiation(item(StudyRoot.Find, 1, 1, 1, 1, 1), {}), item(StudyRoot.Find, 0), 'one byte: the missing ones are 0')
})

test('an answer of worklists has at least three bytes, the first two 1; storage says what it is', (t) => {
  const supported = { fuzzySemanticMatching: true, timezoneQueryAdjustment: true, levelOfSupport: 2, elementCoercion: 1 } as const
  t.deepEqual(answerExtendedNegotiation(item(ModalityWorklist.Find, 1, 1, 1), supported), item(ModalityWorklist.Find, 1, 1, 1))
  t.deepEqual(answerExtendedNegotiation(item(ModalityWorklist.Find, 1, 1, 0, 1), supported), item(ModalityWorklist.Find, 1, 1, 0, 1))
  t.deepEqual(answerExtendedNegotiation(item(ModalityWorklist.Find, 0), supported), item(ModalityWorklist.Find, 1, 1, 0))
  t.deepEqual(answerExtendedNegotiation(item(ModalityWorklist.Find, 1, 1, 1, 1), {}), item(ModalityWorklist.Find, 1, 1, 0))
  t.deepEqual(answerExtendedNegotiation(item(CT_IMAGE, 3, 0, 0, 0, 2, 0), supported), item(CT_IMAGE, 2, 0, 0, 0, 1, 0))
  t.deepEqual(answerExtendedNegotiation(item(StudyRoot.Move, 1, 1), { relationalRetrieval: true }), item(StudyRoot.Move, 1))
  t.is(answerExtendedNegotiation(item(VERIFICATION, 1), supported), undefined)
})

test('asked for in one call, answered in one handler, read with names on both sides', async (t) => {
  await using server = await createTestServer({
    handlers: {
      sopClassExtended: (proposals) =>
        proposals.flatMap((proposal) => answerExtendedNegotiation(proposal, { relationalQueries: true, timezoneQueryAdjustment: true }) ?? []),
    },
  })
  server.ae.addSupportedContext(STUDY_ROOT_FIND)
  const ae = new ApplicationEntity({ aeTitle: 'ASKER' })
  const association = await ae.associate({
    host: '127.0.0.1',
    port: server.port,
    contexts: presentationContextsFor([StudyRoot.Find]),
    sopClassExtended: [queryNegotiation(StudyRoot.Find, { relationalQueries: true, fuzzySemanticMatching: true })],
  })
  const acceptor = server.ae.activeAssociations[0]
  t.deepEqual(extendedNegotiationOf(acceptor?.request?.userInformation ?? [], StudyRoot.Find), {
    kind: 'find',
    ...NO_FIND,
    relationalQueries: true,
    fuzzySemanticMatching: true,
  })
  t.deepEqual(extendedNegotiationOf(association.accept?.userInformation ?? [], StudyRoot.Find), { kind: 'find', ...NO_FIND, relationalQueries: true })
  await association.release()
  await ae.close()
})

// ── common extended negotiation (PS3.7 D.3.3.6) ──────────────────────────────────────────────────────────

const ENHANCED_MR = '1.2.840.10008.5.1.4.1.1.4.1'
const SPECIALIZED = '1.2.826.0.1.99.2'

test('a specialized class is announced as one of storage, byte by byte of table D.3-12', (t) => {
  const common = commonExtendedNegotiation({ sopClassUid: '1.2.3', relatedGeneralSopClassUids: ['1.2'] })
  const pdu = encodePdu(associateRequest({ userInformation: [common] }))
  const expected = [
    0x57, 0x00, // item type, sub-item version 0
    0x00, 0x21, // length 33
    0x00, 0x05, ...Buffer.from('1.2.3'),
    0x00, 0x11, ...Buffer.from('1.2.840.10008.4.2'), // Storage Service Class
    0x00, 0x05, // length of what is related
    0x00, 0x03, ...Buffer.from('1.2'),
  ]
  t.true(Buffer.from(pdu).includes(Buffer.from(expected)))
  t.like(commonExtendedNegotiation({ sopClassUid: '1.2.3', serviceClassUid: '1.2.4' }), { serviceClassUid: '1.2.4', relatedGeneralSopClassUids: [] })
})

test('the service of a specialized class: by its service class, else by a related class that is known', (t) => {
  const accepted = (serviceClassUid: string, ...relatedGeneralSopClassUids: string[]): ReturnType<typeof commonExtendedNegotiation>[] => [
    commonExtendedNegotiation({ sopClassUid: '1.2.826.0.1.99.9', relatedGeneralSopClassUids: [VERIFICATION] }),
    commonExtendedNegotiation({ sopClassUid: SPECIALIZED, serviceClassUid, relatedGeneralSopClassUids }),
  ]
  t.is(serviceClassOf(SPECIALIZED), undefined)
  t.is(serviceClassOf(SPECIALIZED, accepted('1.2.840.10008.4.2')), 'storage')
  t.is(serviceClassOf(SPECIALIZED, accepted('1.2.840.10008.5.1.4.34.6')), 'unified-procedure-step')
  t.is(serviceClassOf(SPECIALIZED, accepted('1.2.99', '1.2.98', ENHANCED_MR)), 'storage')
  t.is(serviceClassOf(SPECIALIZED, accepted('1.2.99', '1.2.98')), undefined)
  t.is(serviceClassOf(VERIFICATION, [commonExtendedNegotiation({ sopClassUid: VERIFICATION })]), 'verification', 'the standard goes before')
  t.is(serviceClassByUid('1.2.840.10008.4.2'), 'storage')
  t.is(serviceClassByUid('1.2.3'), undefined)
})
