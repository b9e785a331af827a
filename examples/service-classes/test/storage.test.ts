import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SopClass, StorageStatus, TransferSyntax, decodeDataSet, decodePart10Header, presentationContextsFor } from '@dicomtap/framework'
import { createTestServer, encodedSample, sampleDataset } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { storage } from '../dist/storage.js'
import { associate } from './support/requestor.js'

async function folder(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dicomtap-example-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

const { ExplicitVRLittleEndian, JPEG2000Lossless } = TransferSyntax
const CONTEXTS = presentationContextsFor(
  [SopClass.CTImageStorage, SopClass.MRImageStorage, SopClass.EncapsulatedPDFStorage],
  { transferSyntaxes: [ExplicitVRLittleEndian, JPEG2000Lossless], separately: true },
)

/** What `kind` is as a C-STORE, with other UIDs where the test wants them. */
async function stored(kind: 'ct' | 'mr' | 'pdf', transferSyntaxUid: string = ExplicitVRLittleEndian) {
  const { SOPClassUID, SOPInstanceUID } = sampleDataset(kind)
  const dataSet = await encodedSample(kind, transferSyntaxUid)
  return {
    dataSet,
    source: { sopClassUid: String(SOPClassUID), sopInstanceUid: String(SOPInstanceUID), transferSyntaxUid, bytes: () => [dataSet] },
  }
}

test('each modality goes to its folder and the rest to the quarantine, byte by byte', async (t) => {
  const directory = await folder(t)
  await using server = await createTestServer({ plugins: [storage({ directory, folders: { CT: 'ct', MR: 'mr' } })] })
  const association = await associate(t, server, { contexts: CONTEXTS })
  const cases = [
    ['ct', 'ct', ExplicitVRLittleEndian],
    ['mr', 'mr', JPEG2000Lossless],
    ['pdf', 'quarantine', ExplicitVRLittleEndian],
  ] as const
  for (const [kind, expected, transferSyntaxUid] of cases) {
    const { dataSet, source } = await stored(kind, transferSyntaxUid)
    const { status } = await association.cStore(source)
    t.is(status, 0x0000)
    const file = await readFile(join(directory, expected, `${source.sopInstanceUid}.dcm`))
    const { meta, dataSetOffset } = decodePart10Header(file)
    t.like(meta, { sopInstanceUid: source.sopInstanceUid, transferSyntaxUid, sendingApplicationEntityTitle: 'EXAMPLE-SCU' })
    t.deepEqual(file.subarray(dataSetOffset), dataSet)
  }
  t.deepEqual(await readdir(join(directory, '.incoming')), [])
})

test('a wrong Patient ID is corrected: B000, and the object says what it was', async (t) => {
  const directory = await folder(t)
  await using server = await createTestServer({
    plugins: [storage({ directory, folders: { CT: 'ct' }, correctPatientIds: { SAMPLE1: 'P-4711' } })],
  })
  const association = await associate(t, server, { contexts: CONTEXTS })
  const { source } = await stored('ct')
  const response = await association.cStore(source)
  t.like(response, { status: StorageStatus.ElementsCoerced, category: 'warning', offendingElements: [0x00100020] })
  const file = await readFile(join(directory, 'ct', `${source.sopInstanceUid}.dcm`))
  const dataset = await decodeDataSet(file.subarray(decodePart10Header(file).dataSetOffset), ExplicitVRLittleEndian)
  t.like(dataset, { PatientID: 'P-4711', Modality: 'CT' })
  t.like(dataset['OriginalAttributesSequence'], [
    { ReasonForTheAttributeModification: 'CORRECT', ModifiedAttributesSequence: [{ PatientID: 'SAMPLE1' }] },
  ])
})

test('what is refused leaves nothing behind', async (t) => {
  const directory = await folder(t)
  const { source, dataSet } = await stored('ct')
  await using server = await createTestServer({ plugins: [storage({ directory, maximumBytes: dataSet.length + 100 })] })
  const association = await associate(t, server, { contexts: CONTEXTS })

  const otherClass = await association.cStore({ ...source, sopClassUid: SopClass.MRImageStorage })
  t.like(otherClass, { status: StorageStatus.DataSetMismatch, offendingElements: [0x00080016, 0x00080018] })
  const otherInstance = await association.cStore({ ...source, sopInstanceUid: '2.25.1' })
  t.is(otherInstance.status, StorageStatus.DataSetMismatch)
  // An element whose VR is none: 'zz' in Explicit VR Little Endian.
  const noDataSet = Buffer.from('08001600' + '7a7a' + '0200' + '3100', 'hex')
  const garbage = await association.cStore({ ...source, bytes: () => [noDataSet] })
  t.is(garbage.status, StorageStatus.CannotUnderstand)

  t.is((await association.cStore(source)).status, 0x0000)
  const second = await stored('mr')
  const full = await association.cStore(second.source)
  t.like(full, { status: StorageStatus.OutOfResources, errorComment: 'No room' })

  t.deepEqual(await readdir(join(directory, '.incoming')), [])
  t.deepEqual(await readdir(join(directory, 'quarantine')), [`${source.sopInstanceUid}.dcm`])
})

test('what is too large to be decoded is not corrected', async (t) => {
  const directory = await folder(t)
  await using server = await createTestServer({ plugins: [storage({ directory, correctPatientIds: { SAMPLE1: 'P-4711' }, maximumCorrectedBytes: 100 })] })
  const association = await associate(t, server, { contexts: CONTEXTS })
  const { source } = await stored('ct')
  t.like(await association.cStore(source), { status: StorageStatus.OutOfResources })
  t.deepEqual(await readdir(join(directory, '.incoming')), [])
})

test('a SOP class that is not stored here gets no context', async (t) => {
  await using server = await createTestServer({ plugins: [storage({ directory: await folder(t) })] })
  const contexts = presentationContextsFor([SopClass.CTImageStorage, SopClass.ModalityPerformedProcedureStep])
  const association = await associate(t, server, { contexts })
  t.like(association.rejectedContexts, [{ abstractSyntax: SopClass.ModalityPerformedProcedureStep, result: 3 }])
})
