import type { IndexedInstance, LevelRow } from '../../../dist/model/instance.js'

export interface Given {
  readonly patient?: string
  readonly name?: string
  readonly study?: string
  readonly studyDate?: string
  readonly series?: string
  readonly modality?: string
  readonly sop?: string
  readonly path?: string
  readonly sizeBytes?: number
  readonly storedAtMs?: number
  readonly keyValues?: LevelRow['keyValues']
  readonly studyKeyValues?: LevelRow['keyValues']
}

let clock = 1_700_000_000_000

/** What an instance brings, as describeInstance makes it. Each is stored later than the one before. */
export function instanceOf({
  patient = 'P1',
  name = 'doe^jane',
  study = '1.2',
  studyDate = '20240131',
  series = `${study}.3`,
  modality = 'CT',
  sop = `${series}.4`,
  path = `${patient}/${sop}.dcm`,
  sizeBytes = 1000,
  storedAtMs = clock++,
  keyValues = [],
  studyKeyValues = [],
}: Given = {}): IndexedInstance {
  const level = (columns: Record<string, string>, values: LevelRow['keyValues'] = []): LevelRow => ({ columns, attributes: JSON.stringify(columns), keyValues: values })
  return {
    patientKey: patient,
    patient: level({ patient_id: patient, issuer: '', name_alphabetic: name, name_ideographic: '', name_phonetic: '', birth_date: '19700101' }),
    studyInstanceUid: study,
    study: level({ study_date: studyDate, study_time: '120000.000000', accession_number: `A${study}`, study_id: 'S1' }, studyKeyValues),
    seriesInstanceUid: series,
    series: level({ modality, series_number: '1' }),
    sopInstanceUid: sop,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    instance: level({ instance_number: '1' }, keyValues),
    path,
    sizeBytes,
    storedAtMs,
  }
}
