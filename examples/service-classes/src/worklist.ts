/**
 * Modality worklist (PS3.4 K): answers what is scheduled from a list of items in the options, written as data sets by
 * keyword. A real one would ask the information system here, with the keys as its criteria.
 *
 * Every required key of table K.6-1 is matched, and most optional ones. A range of start dates with a range of start
 * times is one range, from the first date and time to the last, as the table has it. Keys that are not supported are
 * left out of the matches, which then come with FF01.
 *
 * Answers: FF00, FF01, 0000, FE00; A700 more matches than `maximumMatches`; A900 a key sequence has several items.
 *
 * It does not do: fuzzy matching of names, time zones.
 */
import { DEFAULT_TRANSFER_SYNTAXES, ModalityWorklist, QueryStatus, definePlugin } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { isWithin, itemsOf, loadMatching, supportedKeys, textsOf } from './shared/matching.ts'
import type { SupportedKeys } from './shared/matching.ts'

const SCHEDULED_PROCEDURE_STEP_SEQUENCE = 0x0040_0100

const options = z.strictObject({
  items: z.array(z.record(z.string(), z.unknown())).default([]).describe('Worklist items: data sets by keyword'),
  maximumMatches: z.int().min(1).default(500).describe('With more the answer is A700: the query should say more'),
})

const CODE: SupportedKeys = { CodeValue: true, CodingSchemeDesignator: true, CodingSchemeVersion: true, CodeMeaning: true }
const REFERENCE: SupportedKeys = { ReferencedSOPClassUID: true, ReferencedSOPInstanceUID: true }

const KEYS: SupportedKeys = {
  ScheduledProcedureStepSequence: {
    ScheduledStationAETitle: true,
    ScheduledStationName: true,
    ScheduledProcedureStepLocation: true,
    ScheduledProcedureStepStartDate: true,
    ScheduledProcedureStepStartTime: true,
    Modality: true,
    ScheduledPerformingPhysicianName: true,
    ScheduledProcedureStepDescription: true,
    ScheduledProtocolCodeSequence: CODE,
    PreMedication: true,
    RequestedContrastAgent: true,
    ScheduledProcedureStepID: true,
    ScheduledProcedureStepStatus: true,
  },
  RequestedProcedureID: true,
  RequestedProcedureDescription: true,
  RequestedProcedureCodeSequence: CODE,
  RequestedProcedurePriority: true,
  PatientTransportArrangements: true,
  StudyInstanceUID: true,
  ReferencedStudySequence: REFERENCE,
  AccessionNumber: true,
  RequestingPhysician: true,
  ReferringPhysicianName: true,
  AdmissionID: true,
  CurrentPatientLocation: true,
  ReferencedPatientSequence: REFERENCE,
  PatientName: true,
  PatientID: true,
  PatientBirthDate: true,
  PatientSex: true,
  PatientWeight: true,
  ConfidentialityConstraintOnPatientDataDescription: true,
  PatientState: true,
  PregnancyStatus: true,
  MedicalAlerts: true,
  Allergies: true,
  SpecialNeeds: true,
}

export const worklist = definePlugin({
  name: 'example-worklist',
  options,

  apply(api, { items, maximumMatches }) {
    api.supportSopClass({ uid: ModalityWorklist.Find, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.cFind.tapPromise({ sopClasses: [ModalityWorklist.Find] }, async ({ identifier }) => {
      const query = await identifier.dataset()
      if (itemsOf(query['ScheduledProcedureStepSequence']).length > 1) {
        const errorComment = 'One item of the key sequence at most'
        return { status: QueryStatus.IdentifierMismatch, errorComment, offendingElements: [SCHEDULED_PROCEDURE_STEP_SEQUENCE] }
      }
      const { keys, isAll } = supportedKeys(query, KEYS)
      const matching = await loadMatching()
      const { criteria, isInTime } = withStartRange(keys)
      const matches = items.filter((item) => matching.matches(criteria, item) && isInTime(item))
      if (matches.length > maximumMatches) return { status: QueryStatus.OutOfResources, errorComment: 'Too many matches' }

      const status = isAll ? QueryStatus.Pending : QueryStatus.PendingOptionalKeysNotSupported
      return matches.map((item) => ({ identifier: matching.response(keys, item), status }))
    })
  },
})

/**
 * Takes a range of start dates and one of start times out of the keys and makes one of them: from July 5 to 7 and from
 * 10 to 18 means from July 5, 10:00 to July 7, 18:00 (PS3.4 table K.6-1).
 */
function withStartRange(keys: DataSet): { criteria: DataSet; isInTime(item: DataSet): boolean } {
  const [step = {}] = itemsOf(keys['ScheduledProcedureStepSequence'])
  const [dates = ''] = textsOf(step['ScheduledProcedureStepStartDate'])
  const [times = ''] = textsOf(step['ScheduledProcedureStepStartTime'])
  if (!dates.includes('-') || !times.includes('-')) return { criteria: keys, isInTime: () => true }

  const [firstDate = '', lastDate = ''] = dates.split('-')
  const [firstTime = '', lastTime = ''] = times.split('-')
  const first = firstDate === '' ? '' : firstDate + firstTime
  const last = lastDate === '' ? '' : lastDate + lastTime
  const { ScheduledProcedureStepStartDate: _date, ScheduledProcedureStepStartTime: _time, ...rest } = step
  return {
    criteria: { ...keys, ScheduledProcedureStepSequence: [rest] },
    isInTime: (item) =>
      itemsOf(item['ScheduledProcedureStepSequence']).some((one) => {
        const start = [...textsOf(one['ScheduledProcedureStepStartDate']), ...textsOf(one['ScheduledProcedureStepStartTime'])].join('')
        return isWithin(`${first}-${last}`, start)
      }),
  }
}
