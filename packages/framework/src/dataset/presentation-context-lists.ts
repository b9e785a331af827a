import type { RequestedContext } from '../acse/types.ts'
import { presentationContextsFor } from './presentation-contexts.ts'
import { sopClassesOf, storageSopClasses } from './registry.ts'
import type { ServiceClass, SopClass } from './sop-classes.ts'

/**
 * What `presentationContexts.storage` leaves out, since one association has room for 128 contexts: security
 * screening and material testing (DICOS, DICONDE), radiotherapy of the second generation, and classes that
 * few devices make.
 */
const SELDOM_STORED: ReadonlySet<string> = new Set<keyof typeof SopClass>([
  'CTImageStorageForProcessing',
  'EnhancedCTImageStorageForProcessing',
  'LegacyConvertedEnhancedCTImageStorageForProcessing',
  'PhotoacousticImageStorage',
  'General32bitECGWaveformStorage',
  'MultichannelRespiratoryWaveformStorage',
  'RoutineScalpElectroencephalogramWaveformStorage',
  'ElectromyogramWaveformStorage',
  'ElectrooculogramWaveformStorage',
  'SleepElectroencephalogramWaveformStorage',
  'BodyPositionWaveformStorage',
  'WaveformPresentationStateStorage',
  'WaveformAcquisitionPresentationStateStorage',
  'GrayscalePlanarMPRVolumetricPresentationStateStorage',
  'CompositingPlanarMPRVolumetricPresentationStateStorage',
  'AdvancedBlendingPresentationStateStorage',
  'VolumeRenderingVolumetricPresentationStateStorage',
  'SegmentedVolumeRenderingVolumetricPresentationStateStorage',
  'MultipleVolumeRenderingVolumetricPresentationStateStorage',
  'VariableModalityLUTSoftcopyPresentationStateStorage',
  'TractographyResultsStorage',
  'HeightMapSegmentationStorage',
  'SurfaceScanMeshStorage',
  'SurfaceScanPointCloudStorage',
  'WideFieldOphthalmicPhotographyStereographicProjectionImageStorage',
  'WideFieldOphthalmicPhotography3DCoordinatesImageStorage',
  'OphthalmicOpticalCoherenceTomographyEnFaceImageStorage',
  'OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage',
  'ConfocalMicroscopyImageStorage',
  'ConfocalMicroscopyTiledPyramidalImageStorage',
  'ImplantationPlanSRStorage',
  'PlannedImagingAgentAdministrationSRStorage',
  'PerformedImagingAgentAdministrationSRStorage',
  'WaveformAnnotationSRStorage',
  'ContentAssessmentResultsStorage',
  'EncapsulatedOBJStorage',
  'EncapsulatedMTLStorage',
  'BasicStructuredDisplayStorage',
  'CTPerformedProcedureProtocolStorage',
  'XAPerformedProcedureProtocolStorage',
  'RTPhysicianIntentStorage',
  'RTSegmentAnnotationStorage',
  'RTRadiationSetStorage',
  'CArmPhotonElectronRadiationStorage',
  'TomotherapeuticRadiationStorage',
  'RoboticArmRadiationStorage',
  'RTRadiationRecordSetStorage',
  'RTRadiationSalvageRecordStorage',
  'TomotherapeuticRadiationRecordStorage',
  'CArmPhotonElectronRadiationRecordStorage',
  'RoboticRadiationRecordStorage',
  'RTRadiationSetDeliveryInstructionStorage',
  'RTTreatmentPreparationStorage',
  'EnhancedRTImageStorage',
  'EnhancedContinuousRTImageStorage',
  'RTPatientPositionAcquisitionInstructionStorage',
  'RTBrachyApplicationSetupDeliveryInstructionStorage',
  'DICOSCTImageStorage',
  'DICOSDigitalXRayImageStorageForPresentation',
  'DICOSDigitalXRayImageStorageForProcessing',
  'DICOSThreatDetectionReportStorage',
  'DICOS2DAITStorage',
  'DICOS3DAITStorage',
  'DICOSQuadrupoleResonanceStorage',
  'EddyCurrentImageStorage',
  'EddyCurrentMultiFrameImageStorage',
  'ThermographyImageStorage',
  'ThermographyMultiFrameImageStorage',
  'UltrasoundWaveformStorage',
])

function frozen(contexts: readonly RequestedContext[]): readonly RequestedContext[] {
  return Object.freeze(contexts.map((context) => Object.freeze(context)))
}

function ofService(service: ServiceClass, includeRetired = false): readonly RequestedContext[] {
  return frozen(presentationContextsFor(sopClassesOf(service, { includeRetired }).map(({ uid }) => uid)))
}

/**
 * Ready-made lists of contexts to propose, one per service class of PS3.4, named like `ServiceClass`. They hold
 * the standard's SOP classes; for others, other transfer syntaxes or roles use {@link presentationContextsFor},
 * which takes a list too:
 *
 * @example
 * await ae.associate({ host, port, contexts: presentationContexts.basicWorklist })
 * @example
 * // C-GET: the peer stores to us
 * const stores = presentationContextsFor(presentationContexts.storage, { roles: { scu: false, scp: true } })
 * await ae.associate({ host, port, contexts: [...presentationContextsFor([StudyRoot.Get]), ...stores] })
 */
export interface PresentationContexts {
  /** PS3.4 A: C-ECHO */
  readonly verification: readonly RequestedContext[]
  /** PS3.4 B: the storage classes met in hospitals, with room for nine other contexts in one association. */
  readonly storage: readonly RequestedContext[]
  /** PS3.4 B: all that are not retired. More than the 128 contexts of one association: choose from it. */
  readonly allStorage: readonly RequestedContext[]
  /** PS3.4 C, Y and Z: every model, the retired Patient/Study Only among them. */
  readonly queryRetrieve: readonly RequestedContext[]
  /** PS3.4 F: Modality Performed Procedure Step, its retrieval and notification. */
  readonly procedureStep: readonly RequestedContext[]
  /** PS3.4 H: print; the Meta SOP classes and every class that may be negotiated by itself. */
  readonly printManagement: readonly RequestedContext[]
  /** PS3.4 J */
  readonly storageCommitment: readonly RequestedContext[]
  /** PS3.4 K: modality worklist. */
  readonly basicWorklist: readonly RequestedContext[]
  /** PS3.4 P: procedure and substance administration logs. */
  readonly applicationEvent: readonly RequestedContext[]
  /** PS3.4 Q */
  readonly relevantPatientQuery: readonly RequestedContext[]
  /** PS3.4 R */
  readonly instanceAvailability: readonly RequestedContext[]
  /** PS3.4 I: the DICOMDIR, a class of files; no service sends it over an association. */
  readonly mediaStorage: readonly RequestedContext[]
  /** PS3.4 S */
  readonly mediaCreation: readonly RequestedContext[]
  /** PS3.4 U */
  readonly hangingProtocol: readonly RequestedContext[]
  /** PS3.4 V */
  readonly substanceAdministration: readonly RequestedContext[]
  /** PS3.4 X */
  readonly colorPalette: readonly RequestedContext[]
  /** PS3.4 BB */
  readonly implantTemplate: readonly RequestedContext[]
  /** PS3.4 CC: Push, Watch, Pull, Event and Query. */
  readonly unifiedProcedureStep: readonly RequestedContext[]
  /** PS3.4 DD */
  readonly rtMachineVerification: readonly RequestedContext[]
  /** PS3.4 EE */
  readonly displaySystem: readonly RequestedContext[]
  /** PS3.4 GG: C-STORE of hanging protocols, implant templates, inventories and the like. */
  readonly nonPatientObject: readonly RequestedContext[]
  /** PS3.4 HH */
  readonly definedProcedure: readonly RequestedContext[]
  /** PS3.4 II */
  readonly protocolApproval: readonly RequestedContext[]
  /** PS3.4 JJ */
  readonly inventory: readonly RequestedContext[]
  /** PS3.4 KK: creation of inventories. */
  readonly storageManagement: readonly RequestedContext[]
}

export const presentationContexts: PresentationContexts = Object.freeze({
  verification: ofService('verification'),
  storage: frozen(presentationContextsFor(storageSopClasses().filter(({ keyword }) => !SELDOM_STORED.has(keyword)))),
  allStorage: ofService('storage'),
  queryRetrieve: ofService('query-retrieve', true),
  procedureStep: ofService('procedure-step'),
  printManagement: ofService('print-management'),
  storageCommitment: ofService('storage-commitment'),
  basicWorklist: ofService('basic-worklist'),
  applicationEvent: ofService('application-event'),
  relevantPatientQuery: ofService('relevant-patient-query'),
  instanceAvailability: ofService('instance-availability'),
  mediaStorage: ofService('media-storage'),
  mediaCreation: ofService('media-creation'),
  hangingProtocol: ofService('hanging-protocol'),
  substanceAdministration: ofService('substance-administration'),
  colorPalette: ofService('color-palette'),
  implantTemplate: ofService('implant-template'),
  unifiedProcedureStep: ofService('unified-procedure-step'),
  rtMachineVerification: ofService('rt-machine-verification'),
  displaySystem: ofService('display-system'),
  nonPatientObject: ofService('non-patient-object'),
  definedProcedure: ofService('defined-procedure'),
  protocolApproval: ofService('protocol-approval'),
  inventory: ofService('inventory'),
  storageManagement: ofService('storage-management'),
})
