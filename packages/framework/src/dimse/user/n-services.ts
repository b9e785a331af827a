import { SopClass, loadDictionary } from '../../dataset/index.ts'
import { CommandField, DATA_SET_PRESENT, NO_DATA_SET } from '../command-set.ts'
import type { CommandSet } from '../command-set.ts'
import type { DimseServiceProvider } from '../provider.ts'
import type { DimseService, OutgoingDataSet } from '../types.ts'
import type {
  DimseResponse,
  NActionOptions,
  NCreateOptions,
  NDeleteOptions,
  NEventReportOptions,
  NGetOptions,
  NResponse,
  NSetOptions,
  RequestOptions,
} from '../user-types.ts'
import { badRequest, checkDataSet, checkOptions, checkUid, checkUnsignedShort } from './checks.ts'
import { contextFor } from './contexts.ts'
import type { Role } from './contexts.ts'
import { encoded } from './encoded.ts'
import type { Invocation, OutgoingRequest } from './invocation.ts'
import { dimseResponse, nResponse } from './responses.ts'

const { UnifiedProcedureStepPush: PUSH, UnifiedProcedureStepWatch: WATCH, UnifiedProcedureStepPull: PULL } = SopClass

/** Which UPS class an N-ACTION belongs to, by its type: change of state, cancel request, subscriptions (PS3.4 CC.2). */
const UPS_CLASSES_OF_ACTIONS: readonly (readonly string[])[] = [[], [PULL], [PUSH, WATCH], [WATCH], [WATCH], [WATCH]]

interface NRequest {
  readonly service: DimseService
  /** Affected or Requested SOP Class UID. */
  readonly sopClassUid: string
  readonly role: Role
  readonly options: RequestOptions & { readonly metaSopClassUid?: string }
  /** Of the UPS classes, those that have the service (PS3.4 CC.2). */
  readonly upsClasses?: readonly string[]
  /** But for Command Data Set Type. */
  readonly command: CommandSet | (() => Promise<CommandSet>)
  readonly dataset?: OutgoingDataSet | undefined
  readonly datasetName?: string
  readonly isDataSetRequired?: boolean
}

/** PS3.7 10.1.1: the SCP of the SOP class reports. */
export async function nEventReport(dimse: DimseServiceProvider, options: NEventReportOptions): Promise<NResponse> {
  checkOptions(options, 'N-EVENT-REPORT')
  const { affectedSopClassUid, affectedSopInstanceUid, eventTypeId } = options
  checkUid(affectedSopClassUid, 'affectedSopClassUid')
  checkUid(affectedSopInstanceUid, 'affectedSopInstanceUid')
  checkUnsignedShort(eventTypeId, 'eventTypeId')
  return respond(dimse, {
    service: 'N-EVENT-REPORT',
    sopClassUid: affectedSopClassUid,
    role: 'scp',
    options,
    upsClasses: [SopClass.UnifiedProcedureStepEvent],
    command: { commandField: CommandField.N_EVENT_REPORT_RQ, affectedSopClassUid, affectedSopInstanceUid, eventTypeId },
    dataset: options.eventInformation,
    datasetName: 'eventInformation',
  })
}

/** PS3.7 10.1.2. */
export async function nGet(dimse: DimseServiceProvider, options: NGetOptions): Promise<NResponse> {
  const target = requested(options, 'N-GET', CommandField.N_GET_RQ)
  const attributes = attributesOf(options.attributeIdentifierList ?? [])
  // The dictionary is loaded for keywords only.
  const command = attributes.every((attribute) => typeof attribute === 'number')
    ? { ...target, attributeIdentifierList: attributes }
    : async () => ({ ...target, attributeIdentifierList: await tagsOf(attributes) })
  return respond(dimse, { service: 'N-GET', sopClassUid: options.requestedSopClassUid, role: 'scu', options, upsClasses: [PULL, WATCH], command })
}

/** PS3.7 10.1.3. */
export async function nSet(dimse: DimseServiceProvider, options: NSetOptions): Promise<NResponse> {
  const command = requested(options, 'N-SET', CommandField.N_SET_RQ)
  return respond(dimse, {
    service: 'N-SET',
    sopClassUid: options.requestedSopClassUid,
    role: 'scu',
    options,
    upsClasses: [PULL],
    command,
    dataset: options.modificationList,
    datasetName: 'modificationList',
    isDataSetRequired: true,
  })
}

/** PS3.7 10.1.4. */
export async function nAction(dimse: DimseServiceProvider, options: NActionOptions): Promise<NResponse> {
  const target = requested(options, 'N-ACTION', CommandField.N_ACTION_RQ)
  checkUnsignedShort(options.actionTypeId, 'actionTypeId')
  return respond(dimse, {
    service: 'N-ACTION',
    sopClassUid: options.requestedSopClassUid,
    role: 'scu',
    options,
    upsClasses: UPS_CLASSES_OF_ACTIONS[options.actionTypeId] ?? [],
    command: { ...target, actionTypeId: options.actionTypeId },
    dataset: options.actionInformation,
    datasetName: 'actionInformation',
  })
}

/** PS3.7 10.1.5. */
export async function nCreate(dimse: DimseServiceProvider, options: NCreateOptions): Promise<NResponse> {
  checkOptions(options, 'N-CREATE')
  const { affectedSopClassUid, affectedSopInstanceUid } = options
  checkUid(affectedSopClassUid, 'affectedSopClassUid')
  if (affectedSopInstanceUid !== undefined) checkUid(affectedSopInstanceUid, 'affectedSopInstanceUid')
  return respond(dimse, {
    service: 'N-CREATE',
    sopClassUid: affectedSopClassUid,
    role: 'scu',
    options,
    command: { commandField: CommandField.N_CREATE_RQ, affectedSopClassUid, affectedSopInstanceUid },
    dataset: options.attributeList,
    datasetName: 'attributeList',
  })
}

/** PS3.7 10.1.6. */
export async function nDelete(dimse: DimseServiceProvider, options: NDeleteOptions): Promise<DimseResponse> {
  const command = requested(options, 'N-DELETE', CommandField.N_DELETE_RQ)
  const sopClassUid = options.requestedSopClassUid
  const invocation = invoke(dimse, { service: 'N-DELETE', sopClassUid, role: 'scu', options, command })
  return dimseResponse('N-DELETE', sopClassUid, (await invocation.only()).command)
}

/** The part of a command that the requests on an existing instance have in common. */
function requested(
  options: { readonly requestedSopClassUid: string; readonly requestedSopInstanceUid: string },
  service: DimseService,
  commandField: number,
): CommandSet {
  checkOptions(options, service)
  const { requestedSopClassUid, requestedSopInstanceUid } = options
  checkUid(requestedSopClassUid, 'requestedSopClassUid')
  checkUid(requestedSopInstanceUid, 'requestedSopInstanceUid')
  return { commandField, requestedSopClassUid, requestedSopInstanceUid }
}

async function respond(dimse: DimseServiceProvider, request: NRequest): Promise<NResponse> {
  const invocation = invoke(dimse, request)
  return nResponse(dimse, invocation, await invocation.only())
}

function invoke(dimse: DimseServiceProvider, request: NRequest): Invocation {
  const { service, sopClassUid, role, options, dataset } = request
  const { metaSopClassUid, presentationContextId, signal } = options
  if (dataset !== undefined || request.isDataSetRequired === true) checkDataSet(dataset, request.datasetName ?? 'data set')
  if (metaSopClassUid !== undefined) checkUid(metaSopClassUid, 'metaSopClassUid')
  // PS3.4 H.3.2: the classes of a Meta SOP Class go over its context.
  const context = contextFor(dimse.contexts, metaSopClassUid ?? sopClassUid, role, presentationContextId, request.upsClasses)
  const outgoing = (command: CommandSet): OutgoingRequest => {
    if (dataset === undefined) return { context, command: { ...command, commandDataSetType: NO_DATA_SET } }
    return { context, command: { ...command, commandDataSetType: DATA_SET_PRESENT }, dataSet: () => encoded(dataset, context) }
  }
  const { command } = request
  return dimse.invocations.open(service, sopClassUid, typeof command === 'function' ? command().then(outgoing) : outgoing(command), signal)
}

/** Tags by number or eight hexadecimal digits as numbers, keywords as they are. */
function attributesOf(attributes: readonly (string | number)[]): readonly (string | number)[] {
  if (!Array.isArray(attributes)) throw badRequest('attributeIdentifierList must be a list of keywords and tags')
  return attributes.map((attribute: unknown) => {
    if (typeof attribute === 'string') return /^[\da-f]{8}$/i.test(attribute) ? Number.parseInt(attribute, 16) : attribute
    if (Number.isInteger(attribute) && (attribute as number) >= 0 && (attribute as number) <= 0xffff_ffff) return attribute as number
    throw badRequest('attributeIdentifierList must be a list of keywords and tags')
  })
}

async function tagsOf(names: readonly (string | number)[]): Promise<readonly number[]> {
  const dictionary = await loadDictionary()
  return names.map((name) => {
    if (typeof name === 'number') return name
    const attribute = dictionary.byName(name)
    if (attribute !== undefined) return attribute.tag
    const [near] = dictionary.nearKeywords(name)
    throw badRequest(`attributeIdentifierList: there is no attribute '${name}'${near === undefined ? '' : `; did you mean ${near}?`}`)
  })
}
