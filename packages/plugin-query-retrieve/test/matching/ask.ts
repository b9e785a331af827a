import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import { parseIdentifier } from '../../dist/identifier/parse-identifier.js'
import { matches } from '../../dist/matching/matches.js'
import { localOffset } from '../../dist/matching/moments.js'
import { buildCatalogue } from '../../dist/model/catalogue.js'
import { describeInstance } from '../../dist/model/describe-instance.js'
import { attributesOf } from '../../dist/model/stored-attributes.js'
import { MODELS } from '../../dist/model/levels.js'

export const NOTHING_NEGOTIATED: FindNegotiation = {
  relationalQueries: false,
  dateTimeMatching: false,
  fuzzySemanticMatching: false,
  timezoneQueryAdjustment: false,
  enhancedMultiFrameImageConversion: false,
  emptyValueMatching: false,
  multipleValueMatching: false,
}

export const catalogue = await buildCatalogue({ patient: [], study: [{ attribute: 'StudyDescription', indexed: true }], series: [], instance: ['ScheduledProcedureStepSequence', { attribute: '00091010', vr: 'LO' }] })

export const UIDS: DataSet = { StudyInstanceUID: '1.2.3', SeriesInstanceUID: '1.2.3.4', SOPInstanceUID: '1.2.3.4.5', SOPClassUID: '1.2.840.10008.5.1.4.1.1.2' }
export const FILE = { path: 'a/b.dcm', sizeBytes: 1000, storedAtMs: 1, transferSyntaxUid: '1.2.840.10008.1.2.1' }

/** Would an instance with these attributes be found by these keys? By way of all that a real query goes through. */
export function isFound(stored: DataSet, keys: DataSet, negotiated: Partial<FindNegotiation> = {}, timezone = '+0000'): boolean {
  const query = parseIdentifier(
    { QueryRetrieveLevel: 'IMAGE', ...keys },
    { model: MODELS.patientRoot, attributes: catalogue, relational: true, negotiated: { ...NOTHING_NEGOTIATED, ...negotiated } },
  )
  const instance = describeInstance({ ...UIDS, ...stored }, FILE, catalogue)
  if (instance === undefined) throw new Error('not an instance')
  const levels = {
    patient: attributesOf(instance.patient.attributes),
    study: attributesOf(instance.study.attributes),
    series: attributesOf(instance.series.attributes),
    instance: attributesOf(instance.instance.attributes),
  }
  return matches(query, levels, localOffset(timezone))
}
