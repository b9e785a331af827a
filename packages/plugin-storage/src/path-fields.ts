const UID_TAGS = {
  SOPClassUID: 0x0008_0016,
  SOPInstanceUID: 0x0008_0018,
  StudyInstanceUID: 0x0020_000d,
  SeriesInstanceUID: 0x0020_000e,
  FrameOfReferenceUID: 0x0020_0052,
} as const

const TEXT_TAGS = {
  StudyDate: 0x0008_0020,
  SeriesDate: 0x0008_0021,
  AcquisitionDate: 0x0008_0022,
  ContentDate: 0x0008_0023,
  StudyTime: 0x0008_0030,
  AccessionNumber: 0x0008_0050,
  Modality: 0x0008_0060,
  Manufacturer: 0x0008_0070,
  InstitutionName: 0x0008_0080,
  StationName: 0x0008_1010,
  StudyDescription: 0x0008_1030,
  SeriesDescription: 0x0008_103e,
  InstitutionalDepartmentName: 0x0008_1040,
  ManufacturerModelName: 0x0008_1090,
  PatientName: 0x0010_0010,
  PatientID: 0x0010_0020,
  IssuerOfPatientID: 0x0010_0021,
  PatientBirthDate: 0x0010_0030,
  PatientSex: 0x0010_0040,
  BodyPartExamined: 0x0018_0015,
  DeviceSerialNumber: 0x0018_1000,
  ProtocolName: 0x0018_1030,
  StudyID: 0x0020_0010,
  SeriesNumber: 0x0020_0011,
  AcquisitionNumber: 0x0020_0012,
  InstanceNumber: 0x0020_0013,
} as const

const IMPERSONAL: ReadonlySet<PathFieldName> = new Set([
  'Modality',
  'Manufacturer',
  'ManufacturerModelName',
  'SeriesNumber',
  'AcquisitionNumber',
  'InstanceNumber',
  'CallingAETitle',
  'CalledAETitle',
])

const TITLES = ['CallingAETitle', 'CalledAETitle'] as const

/**
 * A field of a path template: an attribute of PS3.6 by its keyword, near the start of every data set, or
 * a title of the association.
 */
export type PathFieldName = keyof typeof UID_TAGS | keyof typeof TEXT_TAGS | (typeof TITLES)[number]

/** What a field's values look like and where they stand in the data set; titles do not stand in it. */
export interface PathField {
  readonly kind: 'uid' | 'text'
  readonly tag: number | undefined
}

const FIELDS: ReadonlyMap<string, PathField> = new Map<string, PathField>([
  ...Object.entries(UID_TAGS).map(([name, tag]): [string, PathField] => [name, { kind: 'uid', tag }]),
  ...Object.entries(TEXT_TAGS).map(([name, tag]): [string, PathField] => [name, { kind: 'text', tag }]),
  ...TITLES.map((name): [string, PathField] => [name, { kind: 'text', tag: undefined }]),
])

export const PATH_FIELD_NAMES: readonly PathFieldName[] = [...FIELDS.keys()] as PathFieldName[]

/** Whether `keyword` is one of them. */
export function isPathField(keyword: string): keyword is PathFieldName {
  return FIELDS.has(keyword)
}

/** Whether the values of a field say nothing of a patient, so that they may stand in a log. */
export function isImpersonal(name: PathFieldName): boolean {
  return pathField(name).kind === 'uid' || IMPERSONAL.has(name)
}

export function pathField(name: PathFieldName): PathField {
  return FIELDS.get(name) as PathField
}
