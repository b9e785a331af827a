import { isValidUid, SopClass, sopClassByKeyword, sopClassByUid } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'

export type QueryOperation = 'find' | 'get' | 'move'

/** A query or retrieve information model of PS3.4 and the SOP class of each operation on it. */
export interface QueryModel {
  /** What `--model` takes. */
  readonly name: string
  /** Whether Query/Retrieve Level (0008,0052) belongs into its identifiers (PS3.4 C.3, Y, Z, AA). */
  readonly hasLevels: boolean
  readonly find?: string
  readonly get?: string
  readonly move?: string
  /** Return keys when none were asked for; models with levels have theirs per level. */
  readonly returnKeys?: readonly string[]
}

const PATIENT = ['PatientName', 'PatientID', 'PatientBirthDate', 'PatientSex'] as const

const STEP = 'ScheduledProcedureStepSequence[0]'

const UPS_KEYS = [
  'PatientName',
  'PatientID',
  'ProcedureStepState',
  'ScheduledProcedureStepPriority',
  'ProcedureStepLabel',
  'WorklistLabel',
  'ScheduledProcedureStepStartDateTime',
  'InputReadinessState',
  'SOPInstanceUID',
] as const

const PROTOCOL_KEYS = ['ProtocolName', 'PotentialScheduledProtocolCodeSequence', 'SOPClassUID', 'SOPInstanceUID'] as const
const IMPLANT_KEYS = ['Manufacturer', 'ImplantName', 'ImplantPartNumber', 'SOPInstanceUID'] as const
const PRODUCT_KEYS = ['ProductPackageIdentifier', 'ProductName', 'Manufacturer', 'ProductDescription'] as const

export const QUERY_MODELS: readonly QueryModel[] = [
  {
    name: 'study',
    hasLevels: true,
    find: SopClass.StudyRootQueryRetrieveInformationModelFind,
    get: SopClass.StudyRootQueryRetrieveInformationModelGet,
    move: SopClass.StudyRootQueryRetrieveInformationModelMove,
  },
  {
    name: 'patient',
    hasLevels: true,
    find: SopClass.PatientRootQueryRetrieveInformationModelFind,
    get: SopClass.PatientRootQueryRetrieveInformationModelGet,
    move: SopClass.PatientRootQueryRetrieveInformationModelMove,
  },
  {
    name: 'patient-study',
    hasLevels: true,
    find: SopClass.PatientStudyOnlyQueryRetrieveInformationModelFind,
    get: SopClass.PatientStudyOnlyQueryRetrieveInformationModelGet,
    move: SopClass.PatientStudyOnlyQueryRetrieveInformationModelMove,
  },
  {
    name: 'worklist',
    hasLevels: false,
    find: SopClass.ModalityWorklistInformationModelFind,
    returnKeys: [
      ...PATIENT,
      'AccessionNumber',
      'RequestedProcedureID',
      'RequestedProcedureDescription',
      `${STEP}.ScheduledProcedureStepStartDate`,
      `${STEP}.ScheduledProcedureStepStartTime`,
      `${STEP}.Modality`,
      `${STEP}.ScheduledStationAETitle`,
      `${STEP}.ScheduledPerformingPhysicianName`,
      `${STEP}.ScheduledProcedureStepDescription`,
      `${STEP}.ScheduledProcedureStepID`,
      'StudyInstanceUID',
    ],
  },
  { name: 'ups', hasLevels: false, find: SopClass.UnifiedProcedureStepPull, returnKeys: UPS_KEYS },
  { name: 'ups-watch', hasLevels: false, find: SopClass.UnifiedProcedureStepWatch, returnKeys: UPS_KEYS },
  { name: 'ups-query', hasLevels: false, find: SopClass.UnifiedProcedureStepQuery, returnKeys: UPS_KEYS },
  {
    name: 'composite-instance',
    hasLevels: true,
    get: SopClass.CompositeInstanceRootRetrieveGet,
    move: SopClass.CompositeInstanceRootRetrieveMove,
  },
  { name: 'without-bulk-data', hasLevels: true, get: SopClass.CompositeInstanceRetrieveWithoutBulkDataGet },
  {
    name: 'hanging-protocol',
    hasLevels: false,
    find: SopClass.HangingProtocolInformationModelFind,
    get: SopClass.HangingProtocolInformationModelGet,
    move: SopClass.HangingProtocolInformationModelMove,
    returnKeys: [
      'HangingProtocolName',
      'HangingProtocolDescription',
      'HangingProtocolLevel',
      'HangingProtocolCreator',
      'SOPInstanceUID',
    ],
  },
  {
    name: 'color-palette',
    hasLevels: false,
    find: SopClass.ColorPaletteQueryRetrieveInformationModelFind,
    get: SopClass.ColorPaletteQueryRetrieveInformationModelGet,
    move: SopClass.ColorPaletteQueryRetrieveInformationModelMove,
    returnKeys: ['ContentLabel', 'ContentDescription', 'SOPInstanceUID'],
  },
  {
    name: 'implant-template',
    hasLevels: false,
    find: SopClass.GenericImplantTemplateInformationModelFind,
    get: SopClass.GenericImplantTemplateInformationModelGet,
    move: SopClass.GenericImplantTemplateInformationModelMove,
    returnKeys: IMPLANT_KEYS,
  },
  {
    name: 'implant-assembly',
    hasLevels: false,
    find: SopClass.ImplantAssemblyTemplateInformationModelFind,
    get: SopClass.ImplantAssemblyTemplateInformationModelGet,
    move: SopClass.ImplantAssemblyTemplateInformationModelMove,
    returnKeys: ['ImplantAssemblyTemplateName', 'ImplantAssemblyTemplateIssuer', 'ImplantAssemblyTemplateVersion', 'SOPInstanceUID'],
  },
  {
    name: 'implant-group',
    hasLevels: false,
    find: SopClass.ImplantTemplateGroupInformationModelFind,
    get: SopClass.ImplantTemplateGroupInformationModelGet,
    move: SopClass.ImplantTemplateGroupInformationModelMove,
    returnKeys: ['ImplantTemplateGroupName', 'ImplantTemplateGroupDescription', 'ImplantTemplateGroupIssuer', 'SOPInstanceUID'],
  },
  {
    name: 'defined-procedure',
    hasLevels: false,
    find: SopClass.DefinedProcedureProtocolInformationModelFind,
    get: SopClass.DefinedProcedureProtocolInformationModelGet,
    move: SopClass.DefinedProcedureProtocolInformationModelMove,
    returnKeys: PROTOCOL_KEYS,
  },
  {
    name: 'protocol-approval',
    hasLevels: false,
    find: SopClass.ProtocolApprovalInformationModelFind,
    get: SopClass.ProtocolApprovalInformationModelGet,
    move: SopClass.ProtocolApprovalInformationModelMove,
    returnKeys: ['SOPClassUID', 'SOPInstanceUID'],
  },
  {
    name: 'inventory',
    hasLevels: false,
    find: SopClass.InventoryFind,
    get: SopClass.InventoryGet,
    move: SopClass.InventoryMove,
    returnKeys: ['ContentDate', 'ContentTime', 'SOPInstanceUID'],
  },
  { name: 'repository', hasLevels: true, find: SopClass.RepositoryQuery },
  { name: 'relevant-patient', hasLevels: false, find: SopClass.GeneralRelevantPatientInformationQuery, returnKeys: PATIENT },
  { name: 'relevant-breast', hasLevels: false, find: SopClass.BreastImagingRelevantPatientInformationQuery, returnKeys: PATIENT },
  { name: 'relevant-cardiac', hasLevels: false, find: SopClass.CardiacRelevantPatientInformationQuery, returnKeys: PATIENT },
  { name: 'product', hasLevels: false, find: SopClass.ProductCharacteristicsQuery, returnKeys: PRODUCT_KEYS },
  { name: 'substance', hasLevels: false, find: SopClass.SubstanceApprovalQuery, returnKeys: [...PATIENT, 'SubstanceAdministrationApproval'] },
]

const ALIASES: Readonly<Record<string, string>> = {
  mwl: 'worklist',
  psonly: 'patient-study',
  'patient-root': 'patient',
  'study-root': 'study',
  composite: 'composite-instance',
  'ups-pull': 'ups',
}

/** A model and the SOP class that an operation on it uses. */
export interface ResolvedModel {
  /** What is known of the model; a private one has neither levels nor keys of its own. */
  readonly model: QueryModel
  readonly uid: string
}

/**
 * The model of a name, the UID of a SOP class or its keyword.
 *
 * @throws UsageError when there is none, or none with this operation
 */
export function resolveModel(text: string, operation: QueryOperation): ResolvedModel {
  const wanted = text.trim()
  const name = ALIASES[wanted.toLowerCase()] ?? wanted.toLowerCase()
  const model = QUERY_MODELS.find((one) => one.name === name)
  if (model !== undefined) {
    const uid = model[operation]
    if (uid !== undefined) return { model, uid }
    const others = modelNames(operation).join(', ')
    throw new UsageError(`The model ${model.name} has no C-${operation.toUpperCase()}; models that have: ${others}`)
  }
  const uid = isValidUid(wanted, 'lenient') && wanted.includes('.') ? wanted : sopClassByKeyword(wanted)?.uid
  if (uid === undefined) {
    const names = modelNames(operation).join(', ')
    throw new UsageError(`There is no model "${wanted}"; give one of ${names}, or the UID of a SOP class`)
  }
  const known = QUERY_MODELS.find((one) => one.find === uid || one.get === uid || one.move === uid)
  return { model: known ?? { name: sopClassByUid(uid)?.keyword || uid, hasLevels: false }, uid }
}

/** The models that have this operation. */
export function modelNames(operation: QueryOperation): string[] {
  return QUERY_MODELS.filter((one) => one[operation] !== undefined).map(({ name }) => name)
}
