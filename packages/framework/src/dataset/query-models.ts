import { SopClass } from './sop-classes.ts'
import type { ServiceClass } from './sop-classes.ts'

/** SOP classes of an information model that can be queried and retrieved. */
export interface QueryRetrieveModel {
  /** SOP Class UID for C-FIND. */
  readonly Find: string
  /** SOP Class UID for C-MOVE. */
  readonly Move: string
  /** SOP Class UID for C-GET. */
  readonly Get: string
}
export type QueryModel = Pick<QueryRetrieveModel, 'Find'>
export type RetrieveModel = Pick<QueryRetrieveModel, 'Move' | 'Get'>

/** Service classes of PS3.4 that are queried and retrieved as Query/Retrieve is: its own, and those of non-patient objects. */
export const QUERY_RETRIEVE_SERVICE_CLASSES: readonly ServiceClass[] = Object.freeze([
  'query-retrieve',
  'hanging-protocol',
  'color-palette',
  'implant-template',
  'defined-procedure',
  'protocol-approval',
  'inventory',
] as const)

/** PS3.4 C.6.1: levels patient, study, series, image. `association.cFind(query, { model: PatientRoot.Find })` */
export const PatientRoot: QueryRetrieveModel = Object.freeze({
  Find: SopClass.PatientRootQueryRetrieveInformationModelFind,
  Move: SopClass.PatientRootQueryRetrieveInformationModelMove,
  Get: SopClass.PatientRootQueryRetrieveInformationModelGet,
})

/** PS3.4 C.6.2: levels study, series, image; patient attributes belong to the study. */
export const StudyRoot: QueryRetrieveModel = Object.freeze({
  Find: SopClass.StudyRootQueryRetrieveInformationModelFind,
  Move: SopClass.StudyRootQueryRetrieveInformationModelMove,
  Get: SopClass.StudyRootQueryRetrieveInformationModelGet,
})

/** Levels patient and study only; retired (PS3.4 C.6.3), but still served. */
export const PatientStudyOnly: QueryRetrieveModel = Object.freeze({
  Find: SopClass.PatientStudyOnlyQueryRetrieveInformationModelFind,
  Move: SopClass.PatientStudyOnlyQueryRetrieveInformationModelMove,
  Get: SopClass.PatientStudyOnlyQueryRetrieveInformationModelGet,
})

/** Instances and frames of them by UID (PS3.4 Y). */
export const CompositeInstanceRoot: RetrieveModel = Object.freeze({
  Move: SopClass.CompositeInstanceRootRetrieveMove,
  Get: SopClass.CompositeInstanceRootRetrieveGet,
})

/** Instances without pixel data and other bulk data (PS3.4 Z). */
export const CompositeInstanceWithoutBulkData: Pick<QueryRetrieveModel, 'Get'> = Object.freeze({
  Get: SopClass.CompositeInstanceRetrieveWithoutBulkDataGet,
})

/** All of a large archive, page by page (PS3.4 C.6.4). */
export const RepositoryQuery: QueryModel = Object.freeze({ Find: SopClass.RepositoryQuery })

/** PS3.4 K */
export const ModalityWorklist: QueryModel = Object.freeze({ Find: SopClass.ModalityWorklistInformationModelFind })

/**
 * PS3.4 CC: `Find` is that of the Pull SOP class, which performers use. The Watch and the Query SOP class
 * have C-FIND as well: `SopClass.UnifiedProcedureStepWatch`, `SopClass.UnifiedProcedureStepQuery`.
 */
export const UnifiedProcedureStep: QueryModel = Object.freeze({ Find: SopClass.UnifiedProcedureStepPull })

/** PS3.4 Q */
export const GeneralRelevantPatientInformation: QueryModel = Object.freeze({ Find: SopClass.GeneralRelevantPatientInformationQuery })

/** PS3.4 Q */
export const BreastImagingRelevantPatientInformation: QueryModel = Object.freeze({
  Find: SopClass.BreastImagingRelevantPatientInformationQuery,
})

/** PS3.4 Q */
export const CardiacRelevantPatientInformation: QueryModel = Object.freeze({ Find: SopClass.CardiacRelevantPatientInformationQuery })

/** PS3.4 V */
export const ProductCharacteristics: QueryModel = Object.freeze({ Find: SopClass.ProductCharacteristicsQuery })

/** PS3.4 V */
export const SubstanceApproval: QueryModel = Object.freeze({ Find: SopClass.SubstanceApprovalQuery })

/** PS3.4 U */
export const HangingProtocol: QueryRetrieveModel = Object.freeze({
  Find: SopClass.HangingProtocolInformationModelFind,
  Move: SopClass.HangingProtocolInformationModelMove,
  Get: SopClass.HangingProtocolInformationModelGet,
})

/** PS3.4 X */
export const ColorPalette: QueryRetrieveModel = Object.freeze({
  Find: SopClass.ColorPaletteQueryRetrieveInformationModelFind,
  Move: SopClass.ColorPaletteQueryRetrieveInformationModelMove,
  Get: SopClass.ColorPaletteQueryRetrieveInformationModelGet,
})

/** PS3.4 BB */
export const GenericImplantTemplate: QueryRetrieveModel = Object.freeze({
  Find: SopClass.GenericImplantTemplateInformationModelFind,
  Move: SopClass.GenericImplantTemplateInformationModelMove,
  Get: SopClass.GenericImplantTemplateInformationModelGet,
})

/** PS3.4 BB */
export const ImplantAssemblyTemplate: QueryRetrieveModel = Object.freeze({
  Find: SopClass.ImplantAssemblyTemplateInformationModelFind,
  Move: SopClass.ImplantAssemblyTemplateInformationModelMove,
  Get: SopClass.ImplantAssemblyTemplateInformationModelGet,
})

/** PS3.4 BB */
export const ImplantTemplateGroup: QueryRetrieveModel = Object.freeze({
  Find: SopClass.ImplantTemplateGroupInformationModelFind,
  Move: SopClass.ImplantTemplateGroupInformationModelMove,
  Get: SopClass.ImplantTemplateGroupInformationModelGet,
})

/** PS3.4 HH */
export const DefinedProcedureProtocol: QueryRetrieveModel = Object.freeze({
  Find: SopClass.DefinedProcedureProtocolInformationModelFind,
  Move: SopClass.DefinedProcedureProtocolInformationModelMove,
  Get: SopClass.DefinedProcedureProtocolInformationModelGet,
})

/** PS3.4 II */
export const ProtocolApproval: QueryRetrieveModel = Object.freeze({
  Find: SopClass.ProtocolApprovalInformationModelFind,
  Move: SopClass.ProtocolApprovalInformationModelMove,
  Get: SopClass.ProtocolApprovalInformationModelGet,
})

/** PS3.4 JJ */
export const Inventory: QueryRetrieveModel = Object.freeze({
  Find: SopClass.InventoryFind,
  Move: SopClass.InventoryMove,
  Get: SopClass.InventoryGet,
})

/** Every model by name, for tools that take one as an argument. */
export const QUERY_MODELS: Readonly<Record<string, Partial<QueryRetrieveModel>>> = Object.freeze({
  PatientRoot,
  StudyRoot,
  PatientStudyOnly,
  CompositeInstanceRoot,
  CompositeInstanceWithoutBulkData,
  RepositoryQuery,
  ModalityWorklist,
  UnifiedProcedureStep,
  GeneralRelevantPatientInformation,
  BreastImagingRelevantPatientInformation,
  CardiacRelevantPatientInformation,
  ProductCharacteristics,
  SubstanceApproval,
  HangingProtocol,
  ColorPalette,
  GenericImplantTemplate,
  ImplantAssemblyTemplate,
  ImplantTemplateGroup,
  DefinedProcedureProtocol,
  ProtocolApproval,
  Inventory,
})
