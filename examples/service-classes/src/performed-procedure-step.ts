/**
 * Modality performed procedure step (PS3.4 F): a modality tells what it does, from IN PROGRESS to COMPLETED or
 * DISCONTINUED. Steps are kept in memory; others may read them (Retrieve) and are told of changes (Notification).
 *
 * N-CREATE: the attributes of table F.7.2-1 must be there, and the state must be IN PROGRESS. N-SET: only what was
 * created can be changed, only while the step is in progress; the final states need an end and a series. The
 * subscribers of the options get an N-EVENT-REPORT each, on an association of their own in which this side is SCP.
 *
 * Answers: N-CREATE 0000, 0106 another state, 0111 there already, 0117 the instance UID is none, 0120 an attribute is
 * missing, 0121 a value is, 0213 too many. N-SET 0000, 0105 cannot be set, 0106 no such state, 0110 with Error ID A710 no longer in
 * progress, 0112, 0121 the final state lacks a value. N-GET 0000, 0001 an attribute is not there, 0112.
 *
 * It does not do: subscriptions by the peers' own means, and trying again when a subscriber is away.
 */
import { randomUUID } from 'node:crypto'
import { DEFAULT_TRANSFER_SYNTAXES, SopClass, Status, StatusError, definePlugin, isValidUid, loadDictionary } from '@dicomtap/framework'
import type { DataSet, Dictionary } from '@dicomtap/framework'
import { z } from 'zod'
import { attributesOf, requireRoom } from './shared/bounds.ts'
import { itemsOf } from './shared/matching.ts'

const Mpps = {
  Step: SopClass.ModalityPerformedProcedureStep,
  Retrieve: SopClass.ModalityPerformedProcedureStepRetrieve,
  Notification: SopClass.ModalityPerformedProcedureStepNotification,
} as const

/** PS3.4 table F.9.2-1, by state; the state did not change when a step was updated. */
const EventType = { 'IN PROGRESS': 1, COMPLETED: 2, DISCONTINUED: 3, updated: 4 } as const
type State = Exclude<keyof typeof EventType, 'updated'>
const STATES: ReadonlySet<unknown> = new Set<State>(['IN PROGRESS', 'COMPLETED', 'DISCONTINUED'])

/** Error ID of an N-SET on a step that is over (PS3.4 F.7.2.2.4). */
const NO_LONGER_UPDATABLE = 0xa710

/** Attributes that an N-CREATE must have, and those of them that must have a value (PS3.4 table F.7.2-1). */
interface Required {
  readonly values: readonly string[]
  readonly present: readonly string[]
  readonly items?: Readonly<Record<string, Required>>
}
const ON_CREATION: Required = {
  values: [
    'ScheduledStepAttributesSequence',
    'PerformedProcedureStepID',
    'PerformedStationAETitle',
    'PerformedProcedureStepStartDate',
    'PerformedProcedureStepStartTime',
    'PerformedProcedureStepStatus',
    'Modality',
  ],
  present: [
    'PatientName',
    'PatientID',
    'PatientBirthDate',
    'PatientSex',
    'ReferencedPatientSequence',
    'PerformedStationName',
    'PerformedLocation',
    'PerformedProcedureStepDescription',
    'PerformedProcedureTypeDescription',
    'ProcedureCodeSequence',
    'PerformedProcedureStepEndDate',
    'PerformedProcedureStepEndTime',
    'StudyID',
    'PerformedProtocolCodeSequence',
    'PerformedSeriesSequence',
  ],
  items: {
    ScheduledStepAttributesSequence: {
      values: ['StudyInstanceUID'],
      present: [
        'ReferencedStudySequence',
        'AccessionNumber',
        'RequestedProcedureID',
        'RequestedProcedureDescription',
        'ScheduledProcedureStepID',
        'ScheduledProcedureStepDescription',
        'ScheduledProtocolCodeSequence',
      ],
    },
  },
}
const ON_END: Required = {
  values: ['PerformedProcedureStepEndDate', 'PerformedProcedureStepEndTime', 'PerformedSeriesSequence'],
  present: [],
  items: { PerformedSeriesSequence: { values: ['SeriesInstanceUID', 'ProtocolName'], present: [] } },
}
/** Who, where and when it began stays as it was created. */
const FIXED: ReadonlySet<string> = new Set([
  'ScheduledStepAttributesSequence',
  'PatientName',
  'PatientID',
  'PatientBirthDate',
  'PatientSex',
  'ReferencedPatientSequence',
  'PerformedProcedureStepID',
  'PerformedStationAETitle',
  'PerformedStationName',
  'PerformedLocation',
  'PerformedProcedureStepStartDate',
  'PerformedProcedureStepStartTime',
  'Modality',
  'StudyID',
])

const options = z.strictObject({
  subscribers: z
    .array(z.strictObject({ aeTitle: z.string(), host: z.string(), port: z.int().min(1).max(65_535) }))
    .default([])
    .describe('Who is told when a step begins, changes and ends'),
  maximumSteps: z.int().min(1).default(10_000).describe('How many steps are kept; of those that are over the oldest go first'),
})

export const performedProcedureStep = definePlugin({
  name: 'example-performed-procedure-step',
  options,

  apply(api, { subscribers, maximumSteps }) {
    const steps = new Map<string, DataSet>()
    for (const uid of [Mpps.Step, Mpps.Retrieve]) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nCreate.tapPromise({ sopClasses: [Mpps.Step] }, async ({ affectedSopInstanceUid, attributeList }) => {
      const dictionary = await loadDictionary()
      const step = await attributesOf(attributeList)
      check(step, ON_CREATION, dictionary)
      if (step['PerformedProcedureStepStatus'] !== 'IN PROGRESS') throw invalid(Status.InvalidAttributeValue, ['PerformedProcedureStepStatus'], dictionary)
      const uid = affectedSopInstanceUid ?? `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`
      if (!isValidUid(uid)) return Status.InvalidObjectInstance
      if (steps.has(uid)) return Status.DuplicateSopInstance
      makeRoom()
      steps.set(uid, step)
      announce(uid, EventType['IN PROGRESS'])
      return { status: Status.Success, affectedSopInstanceUid: uid }
    })

    api.hooks.nSet.tapPromise({ sopClasses: [Mpps.Step] }, async ({ requestedSopInstanceUid, modificationList }) => {
      const dictionary = await loadDictionary()
      const changes = await attributesOf(modificationList)
      // Nothing is awaited from here on: two changes at once do not mix.
      const step = steps.get(requestedSopInstanceUid)
      if (step === undefined) return Status.NoSuchSopInstance
      if (step['PerformedProcedureStepStatus'] !== 'IN PROGRESS') {
        const errorComment = 'Performed Procedure Step Object may no longer be updated'
        return { status: Status.ProcessingFailure, errorComment, errorId: NO_LONGER_UPDATABLE }
      }
      const unknown = keywordsOf(changes).filter((keyword) => FIXED.has(keyword) || !Object.hasOwn(step, keyword))
      if (unknown.length > 0) throw invalid(Status.NoSuchAttribute, unknown, dictionary)

      const changed = { ...step, ...changes }
      const state = changed['PerformedProcedureStepStatus']
      if (!isState(state)) throw invalid(Status.InvalidAttributeValue, ['PerformedProcedureStepStatus'], dictionary)
      if (state !== 'IN PROGRESS') check(changed, ON_END, dictionary)
      steps.set(requestedSopInstanceUid, changed)
      announce(requestedSopInstanceUid, state === 'IN PROGRESS' ? EventType.updated : EventType[state])
      return Status.Success
    })

    api.hooks.nGet.tapPromise({ sopClasses: [Mpps.Retrieve] }, async ({ requestedSopInstanceUid, attributeIdentifierList }) => {
      const { nameOf } = await loadDictionary()
      const step = steps.get(requestedSopInstanceUid)
      if (step === undefined) return Status.NoSuchSopInstance
      if (attributeIdentifierList.length === 0) return { status: Status.Success, dataset: step }
      const isThere = (tag: number): boolean => Object.hasOwn(step, nameOf(tag))
      const dataset = Object.fromEntries(attributeIdentifierList.filter(isThere).map((tag) => [nameOf(tag), step[nameOf(tag)]]))
      return { status: attributeIdentifierList.every(isThere) ? Status.Success : Status.OptionalAttributesNotSupported, dataset }
    })

    /** @throws StatusError 0213 */
    function makeRoom(): void {
      const oldest = steps.size < maximumSteps ? undefined : [...steps].find(([, step]) => step['PerformedProcedureStepStatus'] !== 'IN PROGRESS')
      if (oldest !== undefined) steps.delete(oldest[0])
      requireRoom(steps.size, maximumSteps)
    }

    // One after another to each, so that nobody hears of an end before the beginning.
    const queues = subscribers.map((subscriber) => ({ subscriber, last: Promise.resolve() }))

    /** The modality does not wait for it: it has its answer whether the subscribers are there or not. */
    function announce(uid: string, eventTypeId: number): void {
      for (const queue of queues) {
        const { subscriber } = queue
        queue.last = queue.last
          .then(() => notify(subscriber, uid, eventTypeId))
          .catch((error: unknown) => {
            api.log.warn('a subscriber was not told of a performed procedure step', { aeTitle: subscriber.aeTitle, error })
          })
      }
    }

    async function notify({ aeTitle, host, port }: (typeof subscribers)[number], uid: string, eventTypeId: number): Promise<void> {
      await using association = await api.applicationEntity.associate({
        host,
        port,
        calledAeTitle: aeTitle,
        // Events come from the SCP: this side asks for that role on the association that it requests (PS3.7 D.3.3.4).
        contexts: [{ abstractSyntax: Mpps.Notification, roles: { scu: false, scp: true } }],
      })
      const { status, label } = await association.nEventReport({
        affectedSopClassUid: Mpps.Notification,
        affectedSopInstanceUid: uid,
        eventTypeId,
      })
      if (status !== Status.Success) api.log.warn('a subscriber did not take an event', { aeTitle, status, label })
    }

    api.hooks.preClose.tapPromise(async () => {
      await Promise.all(queues.map(({ last }) => last))
    })
  },
})

function isState(value: unknown): value is State {
  return STATES.has(value)
}

function keywordsOf(dataset: DataSet): string[] {
  return Object.keys(dataset).filter((keyword) => keyword !== 'SpecificCharacterSet' && !keyword.startsWith('_'))
}

/** @throws StatusError 0120 when an attribute is missing, 0121 when a value is */
function check(dataset: DataSet, { values, present, items = {} }: Required, dictionary: Dictionary): void {
  const missing = [...values, ...present].filter((keyword) => !Object.hasOwn(dataset, keyword))
  if (missing.length > 0) throw invalid(Status.MissingAttribute, missing, dictionary)
  const empty = values.filter((keyword) => isEmpty(dataset[keyword]))
  if (empty.length > 0) throw invalid(Status.MissingAttributeValue, empty, dictionary)
  for (const [sequence, required] of Object.entries(items)) {
    for (const item of itemsOf(dataset[sequence])) check(item, required, dictionary)
  }
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

function invalid(status: number, keywords: readonly string[], { byName }: Dictionary): StatusError {
  const offendingElements = keywords.flatMap((keyword) => byName(keyword)?.tag ?? [])
  return new StatusError(status, { offendingElements, errorComment: keywords.join(', ').slice(0, 64) })
}
