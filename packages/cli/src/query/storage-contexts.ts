import {
  ALL_TRANSFER_SYNTAXES,
  DEFAULT_TRANSFER_SYNTAXES,
  isValidUid,
  presentationContexts,
  presentationContextsFor,
  SOP_CLASSES,
  TransferSyntax,
} from '@dicomtap/framework'
import type { RequestedContext } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import type { QueryModel } from './models.ts'

/** This side performs the C-STORE sub-operations of a C-GET (PS3.7 D.3.3.4). */
const ROLES = { scu: false, scp: true } as const

/** Contexts of one association (PS3.8 9.3.2.2: odd identifiers of one byte). */
const MAXIMUM_CONTEXTS = 128

/**
 * The contexts of a C-GET besides its own: the storage SOP classes that may come. An acceptor picks one
 * transfer syntax of a context, and what it holds in another it may not be able to send. So as many transfer
 * syntaxes get a context of their own as there is room for: all of them with few SOP classes, none with many.
 *
 * @param transferSyntaxes undefined: uncompressed first, and whatever there is room for
 */
export function storageContexts(
  model: QueryModel,
  sopClassNames: readonly string[] | undefined,
  transferSyntaxes: readonly string[] | undefined,
): RequestedContext[] {
  const room = MAXIMUM_CONTEXTS - 1
  const sopClasses = sopClassNames === undefined ? defaultSopClasses(model, room) : [...new Set(sopClassNames.flatMap(storageSopClassUids))]
  if (sopClasses.length > room) {
    throw new UsageError(`--storage-classes: ${sopClasses.length} are more than the ${room} that one association has room for`)
  }
  const perClass = Math.floor(room / Math.max(1, sopClasses.length))
  const lists = transferSyntaxLists(transferSyntaxes, perClass)
  return lists.flatMap((list) => presentationContextsFor(sopClasses, { transferSyntaxes: list, roles: ROLES }))
}

function defaultSopClasses({ hasLevels }: QueryModel, room: number): string[] {
  const contexts = hasLevels ? presentationContexts.storage : presentationContexts.nonPatientObject
  return [...new Set(contexts.map(({ abstractSyntax }) => abstractSyntax))].slice(0, room)
}

function transferSyntaxLists(wanted: readonly string[] | undefined, perClass: number): readonly (readonly string[])[] {
  if (wanted !== undefined) {
    const apart = wanted.length <= perClass ? wanted.length : perClass - 1
    const together = wanted.slice(apart)
    return [...wanted.slice(0, apart).map((uid) => [uid]), ...(together.length === 0 ? [] : [together])]
  }
  if (perClass === 1) return [DEFAULT_TRANSFER_SYNTAXES]
  const { ExplicitVRLittleEndian: explicit, ImplicitVRLittleEndian: implicit } = TransferSyntax
  const rare = DEFAULT_TRANSFER_SYNTAXES.filter((uid) => uid !== explicit && uid !== implicit)
  const compressed = ALL_TRANSFER_SYNTAXES.filter((uid) => !DEFAULT_TRANSFER_SYNTAXES.includes(uid))
  const apart = [implicit, ...compressed, ...rare].slice(0, perClass - 1)
  return [[explicit, ...rare.filter((uid) => !apart.includes(uid))], ...apart.map((uid) => [uid])]
}

/**
 * The SOP classes of a keyword, with or without `Storage` and `ImageStorage`, of a modality or a UID.
 *
 * @throws UsageError
 */
export function storageSopClassUids(name: string): readonly string[] {
  const wanted = name.toLowerCase()
  const candidates = SOP_CLASSES.filter(({ service }) => service === 'storage' || service === 'non-patient-object')
  const ofModality = Object.hasOwn(MODALITIES, wanted) ? MODALITIES[wanted] : undefined
  const keywords = ofModality ?? [wanted, `${wanted}storage`, `${wanted}imagestorage`]
  const found = candidates.filter(({ keyword }) => keywords.some((one) => one.toLowerCase() === keyword.toLowerCase()))
  if (found.length > 0) return found.map(({ uid }) => uid)
  if (isValidUid(name, 'lenient') && name.includes('.')) return [name]
  const forms = 'its keyword, as CTImageStorage, a modality, as CT, or its UID'
  throw new UsageError(`--storage-classes: "${name}" is no storage SOP class; give ${forms}`)
}

/** What devices of a modality (PS3.3 C.7.3.1.1.1) usually make. */
const MODALITIES: Readonly<Record<string, readonly string[]>> = {
  cr: ['ComputedRadiographyImageStorage'],
  ct: ['CTImageStorage', 'EnhancedCTImageStorage', 'LegacyConvertedEnhancedCTImageStorage'],
  dx: ['DigitalXRayImageStorageForPresentation', 'DigitalXRayImageStorageForProcessing'],
  ecg: ['TwelveLeadECGWaveformStorage', 'GeneralECGWaveformStorage'],
  ko: ['KeyObjectSelectionDocumentStorage'],
  mg: [
    'DigitalMammographyXRayImageStorageForPresentation',
    'DigitalMammographyXRayImageStorageForProcessing',
    'BreastTomosynthesisImageStorage',
  ],
  mr: [
    'MRImageStorage',
    'EnhancedMRImageStorage',
    'EnhancedMRColorImageStorage',
    'LegacyConvertedEnhancedMRImageStorage',
    'MRSpectroscopyStorage',
  ],
  nm: ['NuclearMedicineImageStorage'],
  pdf: ['EncapsulatedPDFStorage'],
  pr: [
    'GrayscaleSoftcopyPresentationStateStorage',
    'ColorSoftcopyPresentationStateStorage',
    'PseudoColorSoftcopyPresentationStateStorage',
  ],
  pt: ['PositronEmissionTomographyImageStorage', 'EnhancedPETImageStorage', 'LegacyConvertedEnhancedPETImageStorage'],
  reg: ['SpatialRegistrationStorage', 'DeformableSpatialRegistrationStorage'],
  rf: ['XRayRadiofluoroscopicImageStorage', 'EnhancedXRFImageStorage'],
  rt: ['RTImageStorage', 'RTDoseStorage', 'RTStructureSetStorage', 'RTPlanStorage', 'RTIonPlanStorage'],
  sc: [
    'SecondaryCaptureImageStorage',
    'MultiFrameSingleBitSecondaryCaptureImageStorage',
    'MultiFrameGrayscaleByteSecondaryCaptureImageStorage',
    'MultiFrameGrayscaleWordSecondaryCaptureImageStorage',
    'MultiFrameTrueColorSecondaryCaptureImageStorage',
  ],
  seg: ['SegmentationStorage', 'SurfaceSegmentationStorage'],
  sm: ['VLWholeSlideMicroscopyImageStorage'],
  sr: ['BasicTextSRStorage', 'EnhancedSRStorage', 'ComprehensiveSRStorage', 'Comprehensive3DSRStorage', 'XRayRadiationDoseSRStorage'],
  us: ['UltrasoundImageStorage', 'UltrasoundMultiFrameImageStorage', 'EnhancedUSVolumeStorage'],
  xa: ['XRayAngiographicImageStorage', 'EnhancedXAImageStorage'],
}
