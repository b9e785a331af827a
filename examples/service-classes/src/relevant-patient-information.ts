/**
 * Relevant patient information (PS3.4 Q): what is known about one patient, as coded content of a template. The documents
 * come from the options, written as data sets by keyword.
 *
 * A query names the patient and the template that the content is wanted in, and gets one match or none: this is no
 * search. Where several documents would match, the query must name the issuer of the ID as well.
 *
 * Answers: FF00 with the match, then 0000; A900 no Patient ID, a pattern for one, or no template; C100 more than one
 * match; C200 the template is none of the SOP class.
 */
import {
  BreastImagingRelevantPatientInformation,
  CardiacRelevantPatientInformation,
  DEFAULT_TRANSFER_SYNTAXES,
  GeneralRelevantPatientInformation,
  RelevantPatientQueryStatus,
  definePlugin,
} from '@dicomtap/framework'
import { z } from 'zod'
import { itemsOf, textsOf } from './shared/matching.ts'

const PATIENT_ID = 0x0010_0020
const CONTENT_TEMPLATE_SEQUENCE = 0x0040_a504

/** The root template of each SOP class (PS3.4 Q.6, PS3.16). */
const TEMPLATES: Readonly<Record<string, string>> = {
  [GeneralRelevantPatientInformation.Find]: '9007',
  [BreastImagingRelevantPatientInformation.Find]: '9000',
  [CardiacRelevantPatientInformation.Find]: '3802',
}

/** What comes back whether or not it was asked for, type 1 and 2 of table Q.4-1. */
const ALWAYS = [
  'PatientName',
  'PatientID',
  'IssuerOfPatientID',
  'PatientBirthDate',
  'PatientSex',
  'ObservationDateTime',
  'ValueType',
  'ConceptNameCodeSequence',
  'ContentSequence',
]

const options = z.strictObject({
  documents: z
    .array(
      z.strictObject({
        template: z.enum(Object.values(TEMPLATES)).describe('Template ID of its content'),
        dataset: z.looseObject({ PatientID: z.string() }).describe('The data set by keyword'),
      }),
    )
    .default([]),
})

export const relevantPatientInformation = definePlugin({
  name: 'example-relevant-patient-information',
  options,

  apply(api, { documents }) {
    const sopClasses = Object.keys(TEMPLATES)
    for (const uid of sopClasses) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.cFind.tapPromise({ sopClasses }, async ({ identifier }, { sopClassUid }) => {
      const query = await identifier.dataset()
      const ids = textsOf(query['PatientID'])
      const templates = itemsOf(query['ContentTemplateSequence'])
      const [patientId = ''] = ids
      const [template] = templates
      if (ids.length !== 1 || /[*?]/.test(patientId)) return mismatch(PATIENT_ID)
      if (template === undefined || templates.length > 1) return mismatch(CONTENT_TEMPLATE_SEQUENCE)
      if (template['MappingResource'] !== 'DCMR' || String(template['TemplateIdentifier']) !== TEMPLATES[sopClassUid]) {
        return { status: RelevantPatientQueryStatus.TemplateNotSupported, offendingElements: [CONTENT_TEMPLATE_SEQUENCE] }
      }

      const [issuer] = textsOf(query['IssuerOfPatientID'])
      const matches = documents
        .filter((document) => document.template === TEMPLATES[sopClassUid] && document.dataset.PatientID === patientId)
        .filter(({ dataset }) => issuer === undefined || dataset['IssuerOfPatientID'] === issuer)
      if (matches.length > 1) return { status: RelevantPatientQueryStatus.MoreThanOneMatch, offendingElements: [PATIENT_ID] }
      return matches.map(({ dataset }) => {
        const asked = Object.keys(query).filter((keyword) => Object.hasOwn(dataset, keyword))
        const attributes = [...new Set([...ALWAYS, ...asked])].map((keyword) => [keyword, dataset[keyword] ?? null])
        return { ...Object.fromEntries(attributes), ContentTemplateSequence: [template] }
      })
    })
  },
})

function mismatch(tag: number): { status: number; offendingElements: number[] } {
  return { status: RelevantPatientQueryStatus.IdentifierMismatch, offendingElements: [tag] }
}
