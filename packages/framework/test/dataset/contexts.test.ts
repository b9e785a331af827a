import test from 'ava'
import {
  DEFAULT_TRANSFER_SYNTAXES,
  DicomtapError,
  isStorageSopClass,
  isValidUid,
  ModalityWorklist,
  PatientRoot,
  PatientStudyOnly,
  presentationContexts,
  presentationContextsFor,
  QUERY_MODELS,
  registerSopClass,
  SOP_CLASSES,
  SopClass,
  sopClassByKeyword,
  sopClassByUid,
  sopClassKeywords,
  sopClassesOf,
  statusCodesOf,
  storageSopClasses,
  StudyRoot,
  TransferSyntax,
  transferSyntaxByUid,
  UnifiedProcedureStep,
  VIDEO_TRANSFER_SYNTAXES,
} from '@dicomtap/framework'
import type { ServiceClass, SopClassRegistration } from '@dicomtap/framework'
import { negotiateContexts } from '../../dist/acse/negotiate-contexts.js'
import { statusLabel, statusServiceOf } from '../../dist/dimse/status.js'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, MR_IMAGE } from '../support/uids.ts'

const MPEG4 = '1.2.840.10008.1.2.4.102'
const EXPLICIT_BE = '1.2.840.10008.1.2.2'
const DEFLATED = '1.2.840.10008.1.2.1.99'
const VIDEO_ENDOSCOPIC = '1.2.840.10008.5.1.4.1.1.77.1.1.1'

const uids = (contexts: readonly { readonly abstractSyntax: string }[]): string[] => contexts.map(({ abstractSyntax }) => abstractSyntax)
/** The table of the standard, without what tests here register. */
const standard = (service: string): string[] => SOP_CLASSES.filter((entry) => entry.service === service && !entry.retired).map(({ uid }) => uid)
const camelCase = (service: string): string => service.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

// ── ready-made lists ─────────────────────────────────────────────────────────────────────────────────────

test('there is a list for each service class, and it holds the current classes of it', (t) => {
  const services = new Set(SOP_CLASSES.flatMap(({ service }) => (service ?? [])))
  t.deepEqual(Object.keys(presentationContexts).toSorted(), [...services].map(camelCase).concat('allStorage').toSorted())
  for (const service of services) {
    if (service === 'storage' || service === 'query-retrieve') continue
    const list = presentationContexts[camelCase(service) as keyof typeof presentationContexts]
    t.deepEqual(uids(list), standard(service), service)
  }
})

test('the classes of each service, by their UIDs of PS3.6', (t) => {
  const short = (list: keyof typeof presentationContexts): string[] =>
    uids(presentationContexts[list]).map((uid) => uid.replace('1.2.840.10008.', ''))
  t.deepEqual(short('verification'), ['1.1'])
  t.deepEqual(short('basicWorklist'), ['5.1.4.31'])
  t.deepEqual(short('storageCommitment'), ['1.20.1'])
  t.deepEqual(short('procedureStep'), ['3.1.2.3.3', '3.1.2.3.4', '3.1.2.3.5'])
  t.deepEqual(short('unifiedProcedureStep'), ['5.1.4.34.6.1', '5.1.4.34.6.2', '5.1.4.34.6.3', '5.1.4.34.6.4', '5.1.4.34.6.5'])
  t.deepEqual(short('relevantPatientQuery'), ['5.1.4.37.1', '5.1.4.37.2', '5.1.4.37.3'])
  t.deepEqual(short('substanceAdministration'), ['5.1.4.41', '5.1.4.42'])
  t.deepEqual(short('hangingProtocol'), ['5.1.4.38.2', '5.1.4.38.3', '5.1.4.38.4'])
  t.deepEqual(short('colorPalette'), ['5.1.4.39.2', '5.1.4.39.3', '5.1.4.39.4'])
  t.is(short('implantTemplate').length, 9)
  t.deepEqual(short('definedProcedure'), ['5.1.4.20.1', '5.1.4.20.2', '5.1.4.20.3'])
  t.deepEqual(short('protocolApproval'), ['5.1.4.1.1.200.4', '5.1.4.1.1.200.5', '5.1.4.1.1.200.6'])
  t.deepEqual(short('inventory'), ['5.1.4.1.1.201.2', '5.1.4.1.1.201.3', '5.1.4.1.1.201.4'])
  t.deepEqual(short('storageManagement'), ['5.1.4.1.1.201.5'])
  t.deepEqual(short('mediaCreation'), ['5.1.1.33'])
  t.deepEqual(short('mediaStorage'), ['1.3.10'])
  t.deepEqual(short('applicationEvent'), ['1.40', '1.42'])
  t.deepEqual(short('instanceAvailability'), ['5.1.4.33'])
  t.deepEqual(short('displaySystem'), ['5.1.1.40'])
  t.deepEqual(short('rtMachineVerification'), ['5.1.4.34.8', '5.1.4.34.9'])
  t.deepEqual(short('nonPatientObject').toSorted(), [
    '5.1.4.1.1.200.1', '5.1.4.1.1.200.3', '5.1.4.1.1.200.7', '5.1.4.1.1.201.1', '5.1.4.38.1', '5.1.4.39.1', '5.1.4.43.1', '5.1.4.44.1', '5.1.4.45.1',
  ])
  // 1 film session, 2 film box, 4 and 4.1 image boxes, 9 and 18 Meta, 14 job, 15 annotation, 16 and 16.376 printer, 23 LUT
  t.deepEqual(short('printManagement').toSorted(), [
    '5.1.1.1', '5.1.1.14', '5.1.1.15', '5.1.1.16', '5.1.1.16.376', '5.1.1.18', '5.1.1.2', '5.1.1.23', '5.1.1.4', '5.1.1.4.1', '5.1.1.9',
  ])
  t.deepEqual(short('queryRetrieve'), [
    '5.1.4.1.1.201.6',
    ...['1', '2', '3'].flatMap((root) => ['1', '2', '3'].map((operation) => `5.1.4.1.2.${root}.${operation}`)),
    '5.1.4.1.2.4.2', '5.1.4.1.2.4.3', '5.1.4.1.2.5.3',
  ])
})

test('storage fits one association beside a few others, and has what hospitals send', (t) => {
  t.true(presentationContexts.storage.length >= 115 && presentationContexts.storage.length <= 120)
  const offered = new Set(uids(presentationContexts.storage))
  for (const keyword of [
    'CTImageStorage', 'EnhancedCTImageStorage', 'MRImageStorage', 'EnhancedMRImageStorage', 'ComputedRadiographyImageStorage',
    'DigitalXRayImageStorageForPresentation', 'DigitalMammographyXRayImageStorageForPresentation', 'BreastTomosynthesisImageStorage',
    'UltrasoundImageStorage', 'UltrasoundMultiFrameImageStorage', 'XRayAngiographicImageStorage', 'NuclearMedicineImageStorage',
    'PositronEmissionTomographyImageStorage', 'SecondaryCaptureImageStorage', 'MultiFrameTrueColorSecondaryCaptureImageStorage',
    'GrayscaleSoftcopyPresentationStateStorage', 'KeyObjectSelectionDocumentStorage', 'BasicTextSRStorage', 'EnhancedSRStorage',
    'ComprehensiveSRStorage', 'Comprehensive3DSRStorage', 'XRayRadiationDoseSRStorage', 'EncapsulatedPDFStorage', 'EncapsulatedCDAStorage',
    'RTImageStorage', 'RTDoseStorage', 'RTStructureSetStorage', 'RTPlanStorage', 'RTIonPlanStorage', 'RTBeamsTreatmentRecordStorage',
    'SegmentationStorage', 'SpatialRegistrationStorage', 'RawDataStorage', 'TwelveLeadECGWaveformStorage', 'ParametricMapStorage',
    'VLPhotographicImageStorage', 'VLWholeSlideMicroscopyImageStorage', 'OphthalmicTomographyImageStorage', 'VideoEndoscopicImageStorage',
  ]) {
    t.true(offered.has(sopClassByKeyword(keyword)?.uid ?? ''), keyword)
  }
  t.true([...offered].every((uid) => isStorageSopClass(uid) && sopClassByUid(uid)?.retired === false))
  t.deepEqual(new Set(uids(presentationContexts.allStorage)), new Set(standard('storage')))
})

test('the lists cannot be changed, and each context can be proposed as it is', (t) => {
  for (const list of Object.values(presentationContexts) as (typeof presentationContexts.storage)[]) {
    t.true(Object.isFrozen(list) && list.every((context) => Object.isFrozen(context)))
    for (const { abstractSyntax, transferSyntaxes = [], roles } of list) {
      t.true(isValidUid(abstractSyntax) && transferSyntaxes.length > 0 && roles === undefined, abstractSyntax)
      t.true(transferSyntaxes.every((uid) => transferSyntaxByUid(uid)?.network), abstractSyntax)
    }
  }
  t.throws(() => (presentationContexts.verification as unknown[]).push('more'), { instanceOf: TypeError })
})

// ── video ────────────────────────────────────────────────────────────────────────────────────────────────

test('video transfer syntaxes: every one of PS3.6 that carries a video stream, none other', (t) => {
  const named = Object.entries(TransferSyntax).filter(([keyword]) => /^(MPEG2|MPEG4|HEVC)/.test(keyword)).map(([, uid]) => uid)
  t.deepEqual([...VIDEO_TRANSFER_SYNTAXES].toSorted(), named.toSorted())
})

test('a video class is offered for its codecs by themselves, so that no acceptor turns it into uncompressed', (t) => {
  const contexts = presentationContexts.storage.filter(({ abstractSyntax }) => abstractSyntax === VIDEO_ENDOSCOPIC)
  t.deepEqual(contexts.map(({ transferSyntaxes }) => transferSyntaxes), [VIDEO_TRANSFER_SYNTAXES, DEFAULT_TRANSFER_SYNTAXES])
  // An acceptor that would rather have things uncompressed, as most do.
  const { accepted } = negotiateContexts(
    contexts.map(({ abstractSyntax, transferSyntaxes = [] }, index) => ({ id: 2 * index + 1, abstractSyntax, transferSyntaxes })),
    [],
    {
      supportedContexts: new Map([
        [VIDEO_ENDOSCOPIC, { abstractSyntax: VIDEO_ENDOSCOPIC, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE, MPEG4] }],
      ]),
      unrestrictedStorage: false,
      commonExtended: new Map(),
      roleAnswers: new Map(),
    },
  )
  t.deepEqual(accepted.map(({ transferSyntax }) => transferSyntax), [MPEG4, EXPLICIT_LE])
})

// ── the builder ──────────────────────────────────────────────────────────────────────────────────────────

test('SOP classes by UID, keyword and entry; defaults, given syntaxes and roles', (t) => {
  t.deepEqual(presentationContextsFor([CT_IMAGE, 'MRImageStorage']), [
    { abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE, DEFLATED, EXPLICIT_BE] },
    { abstractSyntax: MR_IMAGE, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE, DEFLATED, EXPLICIT_BE] },
  ])
  const roles = { scu: false, scp: true }
  t.deepEqual(presentationContextsFor([{ uid: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }, MR_IMAGE], { transferSyntaxes: [EXPLICIT_LE], roles }), [
    { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles },
    { abstractSyntax: MR_IMAGE, transferSyntaxes: [EXPLICIT_LE], roles },
  ])
  t.deepEqual(uids(presentationContextsFor(sopClassesOf('verification'))), ['1.2.840.10008.1.1'])
  t.deepEqual(presentationContextsFor([VIDEO_ENDOSCOPIC], { transferSyntaxes: [MPEG4] }), [
    { abstractSyntax: VIDEO_ENDOSCOPIC, transferSyntaxes: [MPEG4] },
  ])
  t.deepEqual(presentationContextsFor(new Set<string>()), [])
})

test('a ready-made list takes roles, which is what C-GET needs', (t) => {
  const roles = { scu: false, scp: true }
  const contexts = presentationContextsFor(presentationContexts.storage, { roles })
  t.deepEqual(contexts, presentationContexts.storage.map((context) => ({ ...context, roles })))
  t.deepEqual(presentationContextsFor(contexts), contexts, 'roles that are there stay')
})

test('one context per class and syntax of the files, each once', (t) => {
  const files = [
    { uid: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE] },
    { uid: CT_IMAGE, transferSyntaxes: [TransferSyntax.JPEG2000Lossless] },
    { uid: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE] },
  ]
  t.deepEqual(presentationContextsFor(files).map(({ transferSyntaxes }) => transferSyntaxes), [[EXPLICIT_LE], [TransferSyntax.JPEG2000Lossless]])
  t.deepEqual(presentationContextsFor([CT_IMAGE], { separately: true }).map(({ transferSyntaxes }) => transferSyntaxes), [
    [EXPLICIT_LE], [IMPLICIT_LE], [DEFLATED], [EXPLICIT_BE],
  ])
  t.is(presentationContextsFor([VIDEO_ENDOSCOPIC], { separately: true }).length, VIDEO_TRANSFER_SYNTAXES.length + 4)
})

test('a name that is nothing is refused with the names that were near', (t) => {
  const error = t.throws(() => presentationContextsFor(['CTImageStorge']), { instanceOf: DicomtapError, code: 'DICOMTAP_ERR_CFG_INVALID' })
  t.regex(error.message, /did you mean CTImageStorage\b/)
  t.throws(() => presentationContextsFor([{ uid: '../1.2.3' }]), { code: 'DICOMTAP_ERR_CFG_INVALID' })
  t.deepEqual(uids(presentationContextsFor(['1.2.826.0.1.99'])), ['1.2.826.0.1.99'], 'private UIDs need not be registered')
})

// ── query models ─────────────────────────────────────────────────────────────────────────────────────────

test('query models are the SOP classes of PS3.4', (t) => {
  t.deepEqual({ ...PatientRoot }, { Find: '1.2.840.10008.5.1.4.1.2.1.1', Move: '1.2.840.10008.5.1.4.1.2.1.2', Get: '1.2.840.10008.5.1.4.1.2.1.3' })
  t.deepEqual({ ...StudyRoot }, { Find: '1.2.840.10008.5.1.4.1.2.2.1', Move: '1.2.840.10008.5.1.4.1.2.2.2', Get: '1.2.840.10008.5.1.4.1.2.2.3' })
  t.deepEqual({ ...PatientStudyOnly }, { Find: '1.2.840.10008.5.1.4.1.2.3.1', Move: '1.2.840.10008.5.1.4.1.2.3.2', Get: '1.2.840.10008.5.1.4.1.2.3.3' })
  t.is(ModalityWorklist.Find, '1.2.840.10008.5.1.4.31')
  t.is(UnifiedProcedureStep.Find, '1.2.840.10008.5.1.4.34.6.3')
  for (const [name, model] of Object.entries(QUERY_MODELS)) {
    for (const [operation, uid] of Object.entries(model)) {
      const { keyword = '' } = sopClassByUid(uid) ?? {}
      if (name !== 'UnifiedProcedureStep') t.true(keyword.replace('InstanceRetrieve', 'Instance').startsWith(name), keyword)
      if (/(Find|Move|Get)$/.test(keyword)) t.true(keyword.endsWith(operation), keyword)
    }
  }
})

test('every SOP class for C-FIND, C-MOVE and C-GET is in a model', (t) => {
  const inModels = Object.values(QUERY_MODELS).flatMap((model) => Object.values(model))
  t.is(new Set(inModels).size, inModels.length)
  const queryLike = SOP_CLASSES.filter(({ keyword, service }) => service !== undefined && /(Find|Move|Get|Query)$/.test(keyword))
  const others = queryLike.filter(({ uid }) => !inModels.includes(uid)).map(({ keyword }) => keyword)
  t.deepEqual(others, ['UnifiedProcedureStepQuery'])
})

// ── registered SOP classes ───────────────────────────────────────────────────────────────────────────────

const ACME = '1.2.826.0.1.3680043.9.9999.1'

test.serial('a private storage class is one like the others once it is registered', (t) => {
  t.false(isStorageSopClass(ACME))
  const before = SOP_CLASSES.length
  const entry = registerSopClass({ uid: `${ACME}.1`, keyword: 'AcmeRawStorage', name: 'ACME Raw Storage', service: 'storage' })
  t.deepEqual({ ...entry }, { uid: `${ACME}.1`, keyword: 'AcmeRawStorage', name: 'ACME Raw Storage', retired: false, service: 'storage' })
  t.true(isStorageSopClass(`${ACME}.1`))
  t.is(sopClassByUid(`${ACME}.1`), entry)
  t.is(sopClassByKeyword('AcmeRawStorage'), entry)
  t.true(sopClassKeywords().includes('AcmeRawStorage'))
  t.is(storageSopClasses().at(-1), entry)
  t.deepEqual(uids(presentationContextsFor(['AcmeRawStorage'])), [`${ACME}.1`])
  t.is(statusLabel(0xb007, statusServiceOf('C-STORE', `${ACME}.1`)), 'Data set does not match SOP Class')
  t.is(SOP_CLASSES.length, before, 'the table of the standard stays as it is')
  t.false(uids(presentationContexts.allStorage).includes(`${ACME}.1`))
})

test.serial('of another service it has the statuses of that service, and unrestricted storage leaves it alone', (t) => {
  const uid = `${ACME}.2`
  const accept = (): boolean =>
    negotiateContexts([{ id: 1, abstractSyntax: uid, transferSyntaxes: [IMPLICIT_LE] }], [], {
      supportedContexts: new Map(),
      unrestrictedStorage: true,
      commonExtended: new Map(),
      roleAnswers: new Map(),
    }).accepted.length === 1
  t.true(accept(), 'unknown and private: taken for storage')
  t.is(registerSopClass({ uid, service: 'unified-procedure-step' }).name, uid)
  t.false(accept())
  t.is(statusServiceOf('N-ACTION', uid), 'unified-procedure-step')
  t.is(statusLabel(0xc301, statusServiceOf('N-ACTION', uid)), 'Wrong Transaction UID')
})

test.serial('what a UID and a keyword mean is not changed', (t) => {
  const first = registerSopClass({ uid: `${ACME}.3`, keyword: 'AcmeReport', service: 'storage' })
  t.is(first.name, 'AcmeReport')
  t.is(registerSopClass({ uid: `${ACME}.3`, keyword: 'AcmeReport', service: 'storage' }), first, 'the same again is nothing new')
  t.is(registerSopClass({ uid: `${ACME}.3`, service: 'storage' }), first)
  t.is(registerSopClass({ uid: CT_IMAGE, service: 'storage' }).keyword, 'CTImageStorage')
  const refused: readonly SopClassRegistration[] = [
    { uid: `${ACME}.3`, keyword: 'AcmeReport', service: 'basic-worklist' },
    { uid: `${ACME}.3`, keyword: 'AcmeOther', service: 'storage' },
    { uid: `${ACME}.3`, name: 'Another name', service: 'storage' },
    { uid: `${ACME}.4`, keyword: 'AcmeReport', service: 'storage' },
    { uid: `${ACME}.4`, keyword: 'CTImageStorage', service: 'storage' },
    { uid: CT_IMAGE, service: 'verification' },
    { uid: CT_IMAGE, keyword: 'AcmeCt', service: 'storage' },
    { uid: `${ACME}.4`, keyword: 'not a keyword', service: 'storage' },
    { uid: '1..2', service: 'storage' },
    { uid: '', service: 'storage' },
    { uid: `${ACME}.4`, service: 'storag' as ServiceClass },
    { uid: `${ACME}.4`, service: undefined as unknown as ServiceClass },
    { uid: undefined as unknown as string, service: 'storage' },
  ]
  for (const registration of refused) {
    t.throws(() => registerSopClass(registration), { instanceOf: DicomtapError, code: 'DICOMTAP_ERR_CFG_INVALID' }, JSON.stringify(registration))
  }
  t.is(sopClassByUid(`${ACME}.4`), undefined, 'nothing is half registered')
  const misspelt = t.throws(() => registerSopClass({ uid: `${ACME}.4`, service: 'storag' as ServiceClass }))
  t.regex(misspelt.message, /did you mean storage/)
})

test.serial('a retired class without a service can be given one; it stays the class it is', (t) => {
  const uid = SopClass.GeneralPurposeWorklistInformationModelFind
  t.is(sopClassByUid(uid)?.service, undefined)
  const entry = registerSopClass({ uid, service: 'basic-worklist' })
  t.deepEqual({ ...entry }, { ...SOP_CLASSES.find((one) => one.uid === uid), service: 'basic-worklist' })
  t.is(sopClassByUid(uid), entry)
  t.is(sopClassByKeyword('GeneralPurposeWorklistInformationModelFind'), entry)
  t.is(statusServiceOf('C-FIND', uid), 'basic-worklist')
  t.false(sopClassesOf('basic-worklist').includes(entry), 'it is retired')
  t.is(sopClassesOf('basic-worklist', { includeRetired: true }).filter((one) => one.uid === uid).length, 1)
  t.throws(() => registerSopClass({ uid, service: 'storage' }), { code: 'DICOMTAP_ERR_CFG_INVALID' })
  t.true(statusCodesOf('basic-worklist').some(({ from }) => from === 0xff01))
})
