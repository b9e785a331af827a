/**
 * Application event logging (PS3.4 P): events of a procedure go into the log of its study, what was given to a patient
 * goes into the medication record.
 *
 * An event of a procedure names its study. Without that, or with one that is not known, it goes to the study of the
 * patient, when there is just one, and the answer tells which (B102). What is logged goes to `record`.
 *
 * Answers, procedural event: 0000, B101 other clock, B102 other study, B104 IDs do not fit together, C101 the study is
 * closed, C102 no procedure log (TID 3001), C103 no study, C104 as B104 and not logged. Substance administration: 0000,
 * 0115 not what table P.3-2 asks for, C10E operator, C110 patient, C111 the record failed. Both: 0112, 0123.
 *
 * It does not do: making procedure log objects of the events, which PS3.4 P.2.2.3 asks of a whole implementation.
 */
import {
  ApplicationEventStatus as EventStatus,
  DEFAULT_TRANSFER_SYNTAXES,
  SopClass,
  Status,
  StatusError,
  WellKnownInstance,
  definePlugin,
} from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { isEmpty } from './shared/attributes.ts'
import { attributesOf } from './shared/bounds.ts'
import { itemsOf } from './shared/matching.ts'

const { ProceduralEventLogging: PROCEDURAL, SubstanceAdministrationLogging: SUBSTANCE } = SopClass
const INSTANCES: Readonly<Record<string, string>> = {
  [PROCEDURAL]: WellKnownInstance.ProceduralEventLoggingInstance,
  [SUBSTANCE]: WellKnownInstance.SubstanceAdministrationLoggingInstance,
}
const RECORD = 1
/** Procedure Log (PS3.16). */
const TEMPLATE = '3001'

export interface LoggedEvent {
  readonly kind: 'procedure' | 'substance'
  /** The study or the patient that it was logged for. */
  readonly of: string
  readonly information: DataSet
}

const options = z.strictObject({
  studies: z
    .array(z.strictObject({ studyInstanceUid: z.string(), patientId: z.string(), closed: z.boolean().default(false) }))
    .default([])
    .describe('Studies that events are logged for'),
  synchronizationFrameOfReferenceUid: z.string().optional().describe('The clock of this side'),
  inconsistentIds: z.enum(['log', 'refuse']).default('refuse').describe('What is done when study and patient do not fit together'),
  admissions: z.record(z.string(), z.string()).default({}).describe('Patient IDs by Admission ID'),
  operators: z.array(z.string()).default([]).describe('Code values of those who may add to medication records'),
  record: z.custom<(event: LoggedEvent) => Promise<void> | void>((value) => typeof value === 'function').optional().describe('Default: nowhere'),
})

export const applicationEvent = definePlugin({
  name: 'example-application-event',
  options,

  apply(api, { studies, synchronizationFrameOfReferenceUid, inconsistentIds, admissions, operators, record = () => {} }) {
    const patients = new Set([...studies.map(({ patientId }) => patientId), ...Object.values(admissions)])
    for (const uid of [PROCEDURAL, SUBSTANCE]) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nAction.tapPromise({ sopClasses: [PROCEDURAL, SUBSTANCE] }, async (request, { sopClassUid }) => {
      if (request.requestedSopInstanceUid !== INSTANCES[sopClassUid]) return Status.NoSuchSopInstance
      if (request.actionTypeId !== RECORD) return Status.NoSuchAction
      const information = await attributesOf(request.actionInformation)
      return sopClassUid === PROCEDURAL ? logProcedure(information) : logSubstance(information)
    })

    /** PS3.4 P.2.2 */
    async function logProcedure(information: DataSet) {
      const { StudyInstanceUID: uid, PatientID: patientId, SynchronizationFrameOfReferenceUID: clock } = information
      if (!isProcedureLog(information)) return EventStatus.TemplateMismatch
      const named = studies.find(({ studyInstanceUid }) => studyInstanceUid === uid)
      const ofPatient = studies.filter((study) => study.patientId === patientId && !study.closed)
      const study = named ?? (ofPatient.length === 1 ? ofPatient[0] : undefined)
      if (study === undefined) return EventStatus.NoCurrentStudy
      if (study.closed) return EventStatus.LoggingNotAvailable
      const isInconsistent = !isEmpty(patientId) && patientId !== study.patientId
      if (isInconsistent && inconsistentIds === 'refuse') return EventStatus.IdsInconsistentNotLogged

      await record({ kind: 'procedure', of: study.studyInstanceUid, information })
      const isOtherClock = !isEmpty(clock) && synchronizationFrameOfReferenceUid !== undefined && clock !== synchronizationFrameOfReferenceUid
      let status: number = isOtherClock ? EventStatus.FrameOfReferenceDiffers : Status.Success
      if (isInconsistent) status = EventStatus.IdsInconsistentLogged
      if (named === undefined) status = EventStatus.StudyCoerced
      // With success and warning the SCU hears where its event is (table P.2-4).
      return { status, dataset: { StudyInstanceUID: study.studyInstanceUid, PatientID: study.patientId } }
    }

    /** PS3.4 P.3.2 */
    async function logSubstance(information: DataSet): Promise<number> {
      requireAny(information, ['ProductPackageIdentifier', 'ProductName'])
      requireAny(information, ['SubstanceAdministrationDateTime'])
      requireAny(information, ['OperatorIdentificationSequence'])
      const codes = itemsOf(information['OperatorIdentificationSequence'])
        .flatMap((operator) => itemsOf(operator['PersonIdentificationCodeSequence']))
        .map(({ CodeValue }) => CodeValue)
      if (!codes.some((code) => typeof code === 'string' && operators.includes(code))) return EventStatus.OperatorNotAuthorized
      const patientId = patientOf(information)
      if (patientId === undefined) return EventStatus.PatientUnknown
      try {
        await record({ kind: 'substance', of: patientId, information })
      } catch (error) {
        api.log.error('a medication record could not be updated', { error })
        return EventStatus.UpdateFailed
      }
      return Status.Success
    }

    /** Patient ID and Admission ID must mean the same one where both are given. */
    function patientOf({ PatientID: patientId, AdmissionID: admissionId }: DataSet): string | undefined {
      const admitted = typeof admissionId === 'string' && Object.hasOwn(admissions, admissionId) ? admissions[admissionId] : undefined
      if (isEmpty(patientId)) return admitted
      const isKnown = typeof patientId === 'string' && patients.has(patientId) && (isEmpty(admissionId) || admitted === patientId)
      return isKnown ? patientId : undefined
    }
  },
})

function isProcedureLog({ ValueType, ContentTemplateSequence, ContentSequence }: DataSet): boolean {
  const [template] = itemsOf(ContentTemplateSequence)
  return ValueType === 'CONTAINER' && template?.['MappingResource'] === 'DCMR' && template['TemplateIdentifier'] === TEMPLATE && !isEmpty(ContentSequence)
}

/** @throws StatusError 0115 when none of the attributes has a value */
function requireAny(information: DataSet, keywords: readonly string[]): void {
  if (keywords.every((keyword) => isEmpty(information[keyword]))) {
    throw new StatusError(Status.InvalidArgumentValue, { errorComment: `No ${keywords.join(' or ')}` })
  }
}
