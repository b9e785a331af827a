import { writeFile } from 'node:fs/promises'
import { encodeDataSet } from '../dataset/codec.ts'
import { encodePart10Header } from '../dataset/file-meta.ts'
import { transferSyntaxByUid } from '../dataset/registry.ts'
import { SopClass } from '../dataset/sop-classes.ts'
import { TransferSyntax } from '../dataset/transfer-syntaxes.ts'
import type { DataSet } from '../dataset/types.ts'

/**
 * What {@link sampleDataset} can make: a 16-bit CT and MR slice, a structured report with nested content, a
 * multi-frame secondary capture, a PDF in an object.
 */
export type SampleKind = 'ct' | 'mr' | 'sr' | 'multi-frame' | 'pdf'

export const SAMPLE_KINDS: readonly SampleKind[] = ['ct', 'mr', 'sr', 'multi-frame', 'pdf']

export interface SampleOptions {
  /** The same seed makes the same data set, UIDs and pixels included; default 1. */
  readonly seed?: number
  /** Pixels; default 16 x 16. */
  readonly rows?: number
  readonly columns?: number
  /** Only of `multi-frame`; default 3. */
  readonly frames?: number
  readonly patientName?: string
  readonly patientId?: string
  readonly studyInstanceUid?: string
  readonly seriesInstanceUid?: string
  readonly sopInstanceUid?: string
}

const SOP_CLASS_OF: Readonly<Record<SampleKind, string>> = {
  ct: SopClass.CTImageStorage,
  mr: SopClass.MRImageStorage,
  sr: SopClass.ComprehensiveSRStorage,
  'multi-frame': SopClass.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
  pdf: SopClass.EncapsulatedPDFStorage,
}

/**
 * A small composite object, made up and plainly so: no patient, no device. What differs between two seeds
 * is the instance, series, study and patient, so give the UIDs to put instances together.
 *
 * @example
 * const slice = sampleDataset('ct', { seed: 7, studyInstanceUid: '2.25.42' })
 */
export function sampleDataset(kind: SampleKind, options: SampleOptions = {}): DataSet {
  const seed = options.seed ?? 1
  return {
    SpecificCharacterSet: 'ISO_IR 100',
    SOPClassUID: SOP_CLASS_OF[kind],
    SOPInstanceUID: options.sopInstanceUid ?? sampleUid(kind, seed, 'instance'),
    StudyDate: '20200102',
    ContentDate: '20200102',
    StudyTime: '030405',
    ContentTime: '030405.678',
    AccessionNumber: `ACC${seed}`,
    Manufacturer: 'dicomtap sample',
    ReferringPhysicianName: null,
    StudyDescription: 'Sample study',
    SeriesDescription: `Sample ${kind}`,
    PatientName: options.patientName ?? `Sample^${kind.toUpperCase()}`,
    PatientID: options.patientId ?? `SAMPLE${seed}`,
    PatientBirthDate: null,
    PatientSex: 'O',
    StudyInstanceUID: options.studyInstanceUid ?? sampleUid(kind, seed, 'study'),
    SeriesInstanceUID: options.seriesInstanceUid ?? sampleUid(kind, seed, 'series'),
    StudyID: String(seed),
    SeriesNumber: 1,
    InstanceNumber: 1,
    ...MAKE[kind](seed, options),
  }
}

/** A UID below 2.25 that depends on nothing but its arguments. */
function sampleUid(kind: SampleKind, seed: number, level: string): string {
  const words = `${kind} ${level} ${seed}`
  const random = randomOf([...words].reduce((sum, character) => (Math.imul(sum, 33) + character.charCodeAt(0)) | 0, 7))
  return `2.25.${1 + (random() % 9)}${Array.from({ length: 3 }, () => String(random()).padStart(10, '0')).join('')}`
}

/** mulberry32: enough to fill pixels, and the same on every machine. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

function randomBytes(seed: number, count: number): Uint8Array {
  const random = randomOf(seed)
  return Uint8Array.from({ length: count }, () => random() & 0xff)
}

const MAKE: Readonly<Record<SampleKind, (seed: number, options: SampleOptions) => DataSet>> = {
  ct: (seed, options) => ({
    ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
    Modality: 'CT',
    KVP: 120,
    RescaleIntercept: -1024,
    RescaleSlope: 1,
    WindowCenter: [40, 600],
    WindowWidth: [400, 1500],
    ...plane(),
    ...grayscale(seed, options, 16),
  }),
  mr: (seed, options) => ({
    ImageType: ['ORIGINAL', 'PRIMARY'],
    Modality: 'MR',
    ScanningSequence: 'SE',
    SequenceVariant: 'NONE',
    ScanOptions: null,
    MRAcquisitionType: '2D',
    RepetitionTime: 500.5,
    EchoTime: 12.25,
    EchoTrainLength: 1,
    ...plane(),
    ...grayscale(seed, options, 16),
  }),
  'multi-frame': (seed, options) => ({
    ImageType: ['DERIVED', 'SECONDARY'],
    Modality: 'OT',
    ConversionType: 'SYN',
    BurnedInAnnotation: 'NO',
    NumberOfFrames: options.frames ?? 3,
    FrameIncrementPointer: 0x00181065,
    FrameTimeVector: Array.from({ length: options.frames ?? 3 }, (_, frame) => (frame === 0 ? 0 : 40)),
    ...grayscale(seed, options, 8),
  }),
  sr: (seed) => ({
    Modality: 'SR',
    ReferencedPerformedProcedureStepSequence: [],
    PerformedProcedureCodeSequence: [],
    ValueType: 'CONTAINER',
    ContinuityOfContent: 'SEPARATE',
    CompletionFlag: 'COMPLETE',
    VerificationFlag: 'UNVERIFIED',
    ConceptNameCodeSequence: [code('126000', 'DCM', 'Imaging Measurement Report')],
    ContentSequence: [
      text('121071', 'Finding', `Nothing to see in sample ${seed}`),
      {
        RelationshipType: 'CONTAINS',
        ValueType: 'CONTAINER',
        ContinuityOfContent: 'SEPARATE',
        ConceptNameCodeSequence: [code('126010', 'DCM', 'Imaging Measurements')],
        ContentSequence: [text('121106', 'Comment', 'A level deeper'), measurement(12.5)],
      },
    ],
  }),
  pdf: (seed) => {
    const document = samplePdf(seed)
    return {
      Modality: 'DOC',
      ConversionType: 'SYN',
      BurnedInAnnotation: 'NO',
      DocumentTitle: 'Sample document',
      ConceptNameCodeSequence: [],
      MIMETypeOfEncapsulatedDocument: 'application/pdf',
      EncapsulatedDocument: document,
      EncapsulatedDocumentLength: document.length,
    }
  },
}

function plane(): DataSet {
  return {
    FrameOfReferenceUID: '2.25.1',
    PositionReferenceIndicator: null,
    SliceThickness: 2.5,
    ImagePositionPatient: [-125, -125, 12.5],
    ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
    PixelSpacing: [0.488281, 0.488281],
  }
}

function grayscale(seed: number, options: SampleOptions, bitsAllocated: 8 | 16): DataSet {
  const rows = options.rows ?? 16
  const columns = options.columns ?? 16
  const frames = bitsAllocated === 8 ? (options.frames ?? 3) : 1
  const pixels = randomBytes(seed, rows * columns * frames * (bitsAllocated / 8))
  // 12 of 16 bits are stored: the upper four of each word stay empty.
  if (bitsAllocated === 16) for (let high = 1; high < pixels.length; high += 2) (pixels[high] as number) &= 0x0f
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: rows,
    Columns: columns,
    BitsAllocated: bitsAllocated,
    BitsStored: bitsAllocated === 16 ? 12 : 8,
    HighBit: bitsAllocated === 16 ? 11 : 7,
    PixelRepresentation: 0,
    PixelData: pixels,
  }
}

function code(value: string, scheme: string, meaning: string): DataSet {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning }
}

function text(concept: string, meaning: string, value: string): DataSet {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'TEXT',
    ConceptNameCodeSequence: [code(concept, 'DCM', meaning)],
    TextValue: value,
  }
}

function measurement(millimetres: number): DataSet {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'NUM',
    ConceptNameCodeSequence: [code('121206', 'DCM', 'Distance')],
    MeasuredValueSequence: [
      { NumericValue: millimetres, MeasurementUnitsCodeSequence: [code('mm', 'UCUM', 'millimeter')] },
    ],
  }
}

/** An empty page, in the fewest words a reader accepts. */
function samplePdf(seed: number): Uint8Array {
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    `<</Type/Page/Parent 2 0 R/MediaBox[0 0 ${100 + seed} 100]>>`,
  ]
  let body = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = body.length
    body += `${index + 1} 0 obj${object}endobj\n`
    return `${String(offset).padStart(10, '0')} 00000 n \n`
  })
  const table = `xref\n0 4\n0000000000 65535 f \n${offsets.join('')}`
  return new TextEncoder().encode(`${body}${table}trailer<</Size 4/Root 1 0 R>>\nstartxref\n${body.length}\n%%EOF\n`)
}

/**
 * The same, encoded. For a compressed transfer syntax the frames are made-up bytes, one fragment each, after
 * a Basic Offset Table: right for whatever carries them, undecodable as images.
 */
export async function encodedSample(
  kind: SampleKind,
  transferSyntaxUid: string = TransferSyntax.ExplicitVRLittleEndian,
  options: SampleOptions = {},
): Promise<Buffer> {
  const dataset = sampleDataset(kind, options)
  if (transferSyntaxByUid(transferSyntaxUid)?.encoding.encapsulated === true && dataset['PixelData'] !== undefined) {
    const frames = Number(dataset['NumberOfFrames'] ?? 1)
    dataset['PixelData'] = Array.from({ length: frames }, (_, frame) =>
      randomBytes((options.seed ?? 1) + frame, 101 + frame * 10))
  }
  return encodeDataSet(dataset, transferSyntaxUid)
}

/** A sample as it was written to a file. */
export interface SampleFile {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** The encoded data set: what follows the file meta information. */
  readonly dataSet: Buffer
}

/** Writes a sample as a DICOM file (PS3.10). */
export async function writeSampleFile(
  path: string,
  kind: SampleKind,
  transferSyntaxUid: string = TransferSyntax.ExplicitVRLittleEndian,
  options: SampleOptions = {},
): Promise<SampleFile> {
  const { SOPClassUID, SOPInstanceUID } = sampleDataset(kind, options)
  const dataSet = await encodedSample(kind, transferSyntaxUid, options)
  const file: SampleFile = {
    sopClassUid: SOPClassUID as string,
    sopInstanceUid: SOPInstanceUID as string,
    transferSyntaxUid,
    dataSet,
  }
  const writer = { implementationClassUid: '2.25.2', implementationVersionName: 'DICOMTAP_SAMPLE' }
  const header = encodePart10Header({ ...file, ...writer })
  await writeFile(path, [header, dataSet])
  return file
}
