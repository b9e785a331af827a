import { ApplicationEntity, Association, AssociationServer, DicomtapError } from '@dicomtap/framework'
import { anything, bytes, count, either, fields, flag, has, listOf, nothing, number, oneOf, text, that } from './shapes.ts'
import type { Shape } from './shapes.ts'

// What hooks/types.ts and the types it names say, written down once more to be compared with what handlers get.

const association: Shape = that('an Association', (value) => value instanceof Association)
const applicationEntity: Shape = that('an ApplicationEntity', (value) => value instanceof ApplicationEntity)
const uid: Shape = that('a UID', (value) => typeof value === 'string' && /^[\d.]{1,64}$/.test(value))
const state: Shape = that('a state', (value) => /^Sta\d+$/.test(String(value)))
const status: Shape = that('a status', (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff)
const command: Shape = has({ commandField: count, commandDataSetType: count })
const contextId: Shape = that('an odd number of a byte', (value) => Number(value) % 2 === 1 && Number(value) < 256)
const userInformation: Shape = listOf(has({ type: count }))
const dataSet: Shape = that('a data set', (value) => typeof value === 'object' && value !== null && !(value instanceof Uint8Array))
const incoming: Shape = has({
  transferSyntaxUid: uid,
  receivedBytes: count,
  bytes: that('a method', isFunction),
  buffer: that('a method', isFunction),
  dataset: that('a method', isFunction),
  pipeTo: that('a method', isFunction),
})

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

const common = { protocolVersion: count, calledAeTitle: text, callingAeTitle: text, applicationContextName: uid, userInformation }
const associateRq: Shape = fields({
  ...common,
  type: oneOf('A-ASSOCIATE-RQ'),
  presentationContexts: listOf(fields({ id: contextId, abstractSyntax: uid, transferSyntaxes: listOf(uid) })),
})
const associateAc: Shape = fields({
  ...common,
  type: oneOf('A-ASSOCIATE-AC'),
  presentationContexts: listOf(fields({ id: contextId, result: oneOf(0, 1, 2, 3, 4), transferSyntax: text })),
})
const associateRj: Shape = fields({ type: oneOf('A-ASSOCIATE-RJ'), result: oneOf(1, 2), source: oneOf(1, 2, 3), reason: count })
const releaseRq: Shape = fields({ type: oneOf('A-RELEASE-RQ') })
const releaseRp: Shape = fields({ type: oneOf('A-RELEASE-RP') })
const abort: Shape = fields({ type: oneOf('A-ABORT'), source: oneOf(0, 2), reason: count })
const providerAbort: Shape = fields({ type: oneOf('A-P-ABORT'), reason: count })
const pDataTfSummary: Shape = fields({
  type: oneOf('P-DATA-TF'),
  lengthBytes: count,
  pdvs: listOf(fields({ presentationContextId: contextId, isCommand: flag, isLast: flag, lengthBytes: count })),
})
const pdu: Shape = either(associateRq, associateAc, associateRj, releaseRq, releaseRp, abort, pDataTfSummary)
const primitive: Shape = either(associateRq, associateAc, associateRj, releaseRq, releaseRp, abort, providerAbort)

const acceptedContext: Shape = fields({ id: contextId, abstractSyntax: uid, transferSyntax: uid, asScu: flag, asScp: flag })
const operation: Shape = has({
  service: that('a service', (value) => /^[CN]-[A-Z-]+$/.test(String(value))),
  messageId: count,
  request: has({ service: text, messageId: count, command }),
  association,
  context: acceptedContext,
  sopClassUid: uid,
  signal: that('an AbortSignal', (value) => value instanceof AbortSignal),
  isCancelled: flag,
})

const roles: Shape = fields({ scu: flag, scp: flag })
const roleSelection: Shape = fields({ sopClassUid: uid, scuRole: flag, scpRole: flag })
const sopClassExtended: Shape = fields({ type: oneOf(0x56), sopClassUid: uid, serviceClassApplicationInformation: bytes })
const sopClassCommonExtended: Shape = fields({
  type: oneOf(0x57),
  subItemVersion: count,
  sopClassUid: uid,
  serviceClassUid: uid,
  relatedGeneralSopClassUids: listOf(uid),
})
const asyncWindow: Shape = fields({ type: oneOf(0x53), maximumNumberOperationsInvoked: count, maximumNumberOperationsPerformed: count })
const userIdentity: Shape = fields({
  type: oneOf(0x58),
  userIdentityType: oneOf(1, 2, 3, 4, 5),
  positiveResponseRequested: flag,
  primaryField: bytes,
  secondaryField: bytes,
})
const config: Shape = has({ aeTitle: text, listen: listOf(anything) })

function request(service: string, more: Readonly<Record<string, Shape>>): Shape {
  return fields({ service: oneOf(service), messageId: count, command, ...more })
}
const onClass = { affectedSopClassUid: uid }
const onInstance = { requestedSopClassUid: uid, requestedSopInstanceUid: uid }
const query = { ...onClass, priority: oneOf(0, 1, 2), identifier: incoming }

/** By the types that the catalog names. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  AssociationEvent: fields({ association }),
  ConnectionEvent: fields({ association, remoteAddress: text, remotePort: count }),
  DataEvent: fields({ association, data: bytes }),
  PduEvent: fields({ association, pdu }),
  AcseEvent: fields({ association, primitive }),
  DimseEvent: fields({ association, presentationContextId: contextId, command }),
  StateChangedEvent: fields({
    association,
    currentState: state,
    dulEvent: that('an event', (value) => /^Evt\d+$/.test(String(value))),
    action: that('an action', (value) => /^(AE|DT|AR|AA)-\d+$/.test(String(value))),
    nextState: state,
  }),
  AssociationRejectedEvent: fields({ association, result: oneOf(1, 2), source: oneOf(1, 2, 3), reason: count, why: text }),
  AssociationAbortedEvent: fields({
    association,
    source: oneOf(0, 2, undefined),
    reason: count,
    by: oneOf('peer', 'local', 'network'),
    message: either(text, nothing),
  }),
  OperationEvent: fields({ operation }),
  OperationCompletedEvent: fields({
    operation,
    status,
    errorComment: either(text, nothing),
    durationMs: number,
    receivedBytes: count,
    responses: count,
  }),
  SubOperationEvent: fields({ operation, sopInstanceUid: either(uid, nothing), status }),
  HookFailedEvent: fields({ hook: text, plugin: text, error: that('a DicomtapError', (value) => value instanceof DicomtapError) }),
  AssociationRequestInfo: fields({ association, request: associateRq }),
  AssociationAnswerInfo: fields({ association, request: associateRq, accept: associateAc }),
  UserIdentityRequest: userIdentity,
  AsynchronousOperationsWindow: asyncWindow,
  'readonly RoleSelection[]': listOf(roleSelection),
  'readonly SopClassExtended[]': listOf(sopClassExtended),
  'readonly SopClassCommonExtended[]': listOf(sopClassCommonExtended),
  'readonly AcceptedContext[]': listOf(acceptedContext),
  OutgoingAssociationOptions: fields(
    {
      host: text,
      port: count,
      calledAeTitle: text,
      callingAeTitle: text,
      contexts: listOf(fields({ abstractSyntax: uid }, { transferSyntaxes: listOf(uid), roles })),
      sopClassExtended: listOf(sopClassExtended),
      sopClassCommonExtended: listOf(sopClassCommonExtended),
    },
    {
      asynchronousOperations: either(fields({ invoked: count, performed: count }), nothing),
      userIdentity: either(userIdentity, nothing),
      tls: anything,
      localAddress: either(text, nothing),
      localPort: either(count, nothing),
    },
  ),
  'Operation | undefined': either(operation, nothing),
  Operation: operation,
  string: text,
  CEchoRequest: request('C-ECHO', onClass),
  CStoreRequest: request('C-STORE', {
    ...onClass,
    affectedSopInstanceUid: uid,
    priority: oneOf(0, 1, 2),
    moveOriginatorApplicationEntityTitle: either(text, nothing),
    moveOriginatorMessageId: either(count, nothing),
    dataSet: incoming,
  }),
  CFindRequest: request('C-FIND', query),
  CGetRequest: request('C-GET', query),
  CMoveRequest: request('C-MOVE', { ...query, moveDestination: text }),
  NEventReportRequest: request('N-EVENT-REPORT', {
    ...onClass,
    affectedSopInstanceUid: uid,
    eventTypeId: count,
    eventInformation: either(incoming, nothing),
  }),
  NGetRequest: request('N-GET', { ...onInstance, attributeIdentifierList: listOf(count) }),
  NSetRequest: request('N-SET', { ...onInstance, modificationList: incoming }),
  NActionRequest: request('N-ACTION', { ...onInstance, actionTypeId: count, actionInformation: either(incoming, nothing) }),
  NCreateRequest: request('N-CREATE', { ...onClass, affectedSopInstanceUid: either(uid, nothing), attributeList: either(incoming, nothing) }),
  NDeleteRequest: request('N-DELETE', onInstance),
  DataSet: dataSet,
  FindMatch: fields({ identifier: either(dataSet, bytes) }, { status: oneOf(0xff00, 0xff01) }),
  StatusDetails: fields(
    { status },
    {
      errorComment: either(text, nothing),
      offendingElements: either(listOf(count), nothing),
      errorId: either(count, nothing),
      attributeIdentifierList: either(listOf(count), nothing),
    },
  ),
  LifecycleEvent: fields({ applicationEntity }),
  ListeningEvent: fields({ applicationEntity, server: that('an AssociationServer', (value) => value instanceof AssociationServer) }),
  ConfigEvent: fields({ applicationEntity, config }),
  DiagnoseEvent: fields({ applicationEntity, report: that('a function', isFunction) }),
  WarmUpEvent: fields({ applicationEntity, rehearsal: applicationEntity, signal: that('a signal', (value) => value instanceof AbortSignal) }),
  IncomingConnection: fields({
    socket: has({ on: that('a method', isFunction), write: that('a method', isFunction), destroy: that('a method', isFunction) }),
    remoteAddress: text,
    remotePort: count,
    localAddress: text,
    localPort: count,
    signal: that('an AbortSignal', (value) => value instanceof AbortSignal),
  }),
  AssociationSettings: has({ aeTitle: text, implementationClassUid: uid, limits: has({ maximumPduBytes: count }), timeouts: anything, omittedUserItems: listOf(count) }),
  ListenerOptions: fields({}, { port: count, host: text, contexts: listOf(anything) }),
}
