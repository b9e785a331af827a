/**
 * RT machine verification, conventional and ion (PS3.4 DD): before a beam is delivered, a treatment delivery system has
 * it verified that its machine stands as the plan wants it.
 *
 * N-CREATE names the plan and its fraction group, N-SET a beam of it and how the machine stands, N-ACTION asks for the
 * verdict. That comes as events on the same association: 1 pending, 2 done. N-GET tells what failed, N-DELETE ends the
 * session, and so does the end of the association. An operator may override what failed, through the service
 * `example-rt-machine-verification.operator`; then done is reported again.
 *
 * Answers: N-CREATE 0000, 0105, 0106, 0111, 0120, 0121, C221, C222, C223, C227. N-SET 0000, 0105, 0106, 0112, 0120, 0121,
 * C224, C225, C226. N-GET 0000, 0107, C112. N-ACTION 0000, 0123, C112. N-DELETE 0000, 0112.
 *
 * It does not do: reading plans; they come from the options.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  RtMachineVerificationStatus as RtStatus,
  SopClass,
  Status,
  StatusError,
  createUid,
  definePlugin,
  selectAttributes,
} from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { CONVENTIONAL, DEVICE_SEQUENCES, GENERAL, ION, beam, failedParameters, selectorOf } from './rt-machine-verification/verification.ts'
import type { Beam, MachineKind, Parameter } from './rt-machine-verification/verification.ts'
import { attributeError, isEmpty, requireAttributes } from './shared/attributes.ts'
import { attributesOf } from './shared/bounds.ts'
import { EventReporter, afterResponses } from './shared/event-reports.ts'
import { itemsOf } from './shared/matching.ts'

const { RTConventionalMachineVerification, RTIonMachineVerification } = SopClass
const KINDS: Readonly<Record<string, MachineKind>> = { [RTConventionalMachineVerification]: CONVENTIONAL, [RTIonMachineVerification]: ION }
const PLANS: Readonly<Record<string, string>> = {
  [RTConventionalMachineVerification]: SopClass.RTPlanStorage,
  [RTIonMachineVerification]: SopClass.RTIonPlanStorage,
}
const REQUEST_VERIFICATION = 1
const EventType = { Pending: 1, Done: 2 } as const
/** What the SCP says, and nobody else (table DD.3.2.1-1). */
const RESULTS = ['TreatmentVerificationStatus', 'FailedAttributesSequence', 'OverriddenAttributesSequence']
/** What is said once. */
const OF_PLAN = ['ReferencedRTPlanSequence', 'ReferencedFractionGroupNumber', 'PatientID']

declare module '@dicomtap/framework' {
  interface PluginServices {
    'example-rt-machine-verification.operator': {
      /** Lets a beam be treated although parameters failed. @returns whether there was anything to override */
      override(sopInstanceUid: string, operatorsName: string, reason: string): boolean
    }
  }
}

const options = z.strictObject({
  plans: z
    .array(
      z.strictObject({
        sopInstanceUid: z.string(),
        ion: z.boolean().default(false),
        fractionGroups: z.array(z.strictObject({ number: z.int(), beams: z.array(beam) })).min(1),
      }),
    )
    .default([]),
  devices: z.array(z.enum(DEVICE_SEQUENCES)).default([...DEVICE_SEQUENCES]).describe('Which devices in the beam can be verified'),
})

interface Verification {
  readonly association: Association
  readonly sopClassUid: string
  readonly beams: readonly Beam[]
  attributes: DataSet
  failed: readonly Parameter[]
  override: DataSet | undefined
}

export const rtMachineVerification = definePlugin({
  name: 'example-rt-machine-verification',
  options,

  apply(api, { plans, devices }) {
    const verifications = new Map<string, Verification>()
    const verifiable = new Set<string>(devices)
    const sopClasses = Object.keys(KINDS)
    const reporters = new Map(sopClasses.map((uid) => [uid, new EventReporter(api, uid)]))
    const afterResponse = afterResponses(api)
    for (const uid of sopClasses) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nCreate.tapPromise({ sopClasses }, async ({ affectedSopInstanceUid: uid = createUid(), attributeList }, { association, sopClassUid }) => {
      const given = await attributesOf(attributeList)
      const { machine } = KINDS[sopClassUid] ?? CONVENTIONAL
      await refuseAttributes(given, RESULTS)
      await requireAttributes(given, ['ReferencedRTPlanSequence', 'PatientID'], [GENERAL, machine])
      const early = [GENERAL, machine].filter((keyword) => !isEmpty(given[keyword]))
      if (early.length > 0) throw await attributeError(Status.InvalidAttributeValue, early)
      const beams = await beamsOf(given, sopClassUid)
      if (verifications.has(uid)) return Status.DuplicateSopInstance
      const isBusy = [...verifications.values()].some((one) => one.association.callingAeTitle === association.callingAeTitle)
      if (isBusy) return RtStatus.AlreadyVerifying
      const verification = { association, sopClassUid, beams, attributes: given, failed: [[GENERAL]], override: undefined }
      verifications.set(uid, verification)
      void association.closed.then(() => {
        if (verifications.get(uid) === verification) verifications.delete(uid)
      })
      return { status: Status.Success, affectedSopInstanceUid: uid }
    })

    api.hooks.nSet.tapPromise({ sopClasses }, async ({ requestedSopInstanceUid, modificationList }, { sopClassUid }) => {
      const verification = verificationOf(requestedSopInstanceUid, Status.NoSuchSopInstance)
      const changes = await attributesOf(modificationList)
      await refuseAttributes(changes, [...RESULTS, ...OF_PLAN])
      const failed = await failedParameters(changes, verification.beams, KINDS[sopClassUid] ?? CONVENTIONAL, verifiable)
      // The sequences replace those that were set before (PS3.4 DD.3.2.1.3.2).
      Object.assign(verification, { attributes: { ...verification.attributes, ...changes }, failed, override: undefined })
      return Status.Success
    })

    api.hooks.nGet.tapPromise({ sopClasses }, async ({ requestedSopInstanceUid, attributeIdentifierList }) => {
      const verification = verificationOf(requestedSopInstanceUid, RtStatus.NoSuchVerification)
      const { attributes, failed, override } = verification
      const selectors = await Promise.all(failed.map(selectorOf))
      const instance = {
        ...attributes,
        TreatmentVerificationStatus: statusOf(verification),
        FailedAttributesSequence: override === undefined ? selectors : [],
        OverriddenAttributesSequence: override === undefined ? [] : selectors.map((selector) => ({ ...selector, ...override })),
      }
      const { dataset, missing } = await selectAttributes(instance, attributeIdentifierList)
      return missing.length === 0 ? { status: Status.Success, dataset } : { status: Status.AttributeListError, dataset, attributeIdentifierList: missing }
    })

    api.hooks.nAction.tap({ sopClasses }, ({ requestedSopInstanceUid: uid, actionTypeId }, operation) => {
      const verification = verificationOf(uid, RtStatus.NoSuchVerification)
      if (actionTypeId !== REQUEST_VERIFICATION) return Status.NoSuchAction
      const TreatmentVerificationStatus = statusOf(verification)
      afterResponse(operation, () => {
        report(uid, verification, EventType.Pending)
        report(uid, verification, EventType.Done, { TreatmentVerificationStatus })
      })
      return Status.Success
    })

    api.hooks.nDelete.tap({ sopClasses }, ({ requestedSopInstanceUid }) => {
      verificationOf(requestedSopInstanceUid, Status.NoSuchSopInstance)
      verifications.delete(requestedSopInstanceUid)
      return Status.Success
    })

    api.provideService('example-rt-machine-verification.operator', {
      override(uid, operatorsName, reason) {
        const verification = verifications.get(uid)
        if (verification === undefined || statusOf(verification) !== 'NOT_VERIFIED') return false
        verification.override = { OperatorsName: operatorsName, OverrideReason: reason }
        report(uid, verification, EventType.Done, { TreatmentVerificationStatus: statusOf(verification) })
        return true
      },
    })

    /** @throws StatusError 0106, 0120, C221, C222, C227 */
    async function beamsOf(given: DataSet, sopClassUid: string): Promise<readonly Beam[]> {
      const [reference, ...more] = itemsOf(given['ReferencedRTPlanSequence'])
      if (reference === undefined || more.length > 0) throw await attributeError(Status.InvalidAttributeValue, ['ReferencedRTPlanSequence'])
      await requireAttributes(reference, ['ReferencedSOPClassUID', 'ReferencedSOPInstanceUID'])
      const isIon = sopClassUid === RTIonMachineVerification
      const plan = plans.find(({ sopInstanceUid, ion }) => sopInstanceUid === reference['ReferencedSOPInstanceUID'] && ion === isIon)
      if (plan === undefined || reference['ReferencedSOPClassUID'] !== PLANS[sopClassUid]) throw new StatusError(RtStatus.NoSuchPlan)
      if (plan.fractionGroups.length > 1) await requireAttributes(given, ['ReferencedFractionGroupNumber'])
      const number = given['ReferencedFractionGroupNumber'] ?? plan.fractionGroups[0]?.number
      const group = plan.fractionGroups.find((one) => one.number === number)
      if (group === undefined) throw new StatusError(RtStatus.NoSuchFractionGroup)
      if (group.beams.length === 0) throw new StatusError(RtStatus.NoBeams)
      return group.beams
    }

    /** @throws StatusError; the services differ in what they call it */
    function verificationOf(uid: string, otherwise: number): Verification {
      const verification = verifications.get(uid)
      if (verification === undefined) throw new StatusError(otherwise)
      return verification
    }

    function report(uid: string, { association, sopClassUid }: Verification, eventTypeId: number, eventInformation?: DataSet): void {
      reporters.get(sopClassUid)?.send(
        { aeTitle: association.callingAeTitle, association },
        { affectedSopClassUid: sopClassUid, affectedSopInstanceUid: uid, eventTypeId, ...(eventInformation === undefined ? {} : { eventInformation }) },
      )
    }
  },
})

function statusOf({ failed, override }: Pick<Verification, 'failed' | 'override'>): 'VERIFIED' | 'VERIFIED_OVR' | 'NOT_VERIFIED' {
  if (failed.length === 0) return 'VERIFIED'
  return override === undefined ? 'NOT_VERIFIED' : 'VERIFIED_OVR'
}

/** @throws StatusError 0105 */
async function refuseAttributes(dataset: DataSet, keywords: readonly string[]): Promise<void> {
  const refused = keywords.filter((keyword) => Object.hasOwn(dataset, keyword))
  if (refused.length > 0) throw await attributeError(Status.NoSuchAttribute, refused)
}
