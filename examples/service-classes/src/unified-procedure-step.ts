/**
 * Unified procedure steps (PS3.4 CC): a worklist that is pushed to (Push), taken from and worked on (Pull), watched
 * (Watch, Event) and queried (Query). Steps are kept in memory.
 *
 * Who takes a step locks it with a Transaction UID of its own; without that nobody may change it until it is COMPLETED
 * or CANCELED, and nobody gets to see it. Events go to subscribers on an association of theirs on which UPS Event was
 * accepted, else on a new one. The states, events and subscriptions are in `unified-procedure-step/`.
 *
 * Answers: N-CREATE 0000, B300 attributes of type 2 were added, 0106, 0111, 0120, 0121, 0213 too many, C309. N-SET 0000, 0105 not to be
 * set, C300, C301, C307, C310. N-GET 0000, 0001, C307. N-ACTION 0000, 0115, 0123; change of state B304, B306, C300 to
 * C304, C307, C310; cancel request B304, C307, C311, C312; subscriptions B301, C307, C308, C314. C-FIND FF00, FF01, 0000.
 *
 * It does not do: filtered global subscriptions (C307), and SCP status events.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  QueryStatus,
  SopClass,
  Status,
  StatusError,
  UnifiedProcedureStepStatus as UpsStatus,
  WellKnownInstance,
  createUid,
  definePlugin,
  loadDictionary,
  selectAttributes,
} from '@dicomtap/framework'
import type { DataSet, Operation } from '@dicomtap/framework'
import { z } from 'zod'
import { attributeError, isEmpty, requireAttributes } from './shared/attributes.ts'
import { attributesOf, requireRoom } from './shared/bounds.ts'
import { address, afterResponses } from './shared/event-reports.ts'
import { loadMatching, supportedKeys } from './shared/matching.ts'
import { StepEvents, picked } from './unified-procedure-step/events.ts'
import { isFinal, isReadyToComplete, isUpsState, statusOfChange, withCancellation } from './unified-procedure-step/states.ts'
import type { UpsState } from './unified-procedure-step/states.ts'
import { Subscriptions } from './unified-procedure-step/subscriptions.ts'

const PUSH = SopClass.UnifiedProcedureStepPush
const QUERIES = [SopClass.UnifiedProcedureStepPull, SopClass.UnifiedProcedureStepWatch, SopClass.UnifiedProcedureStepQuery]
const { UPSGlobalSubscriptionInstance: ALL_STEPS, UPSFilteredGlobalSubscriptionInstance: FILTERED_STEPS } = WellKnownInstance
const ActionType = { ChangeState: 1, RequestCancel: 2, Subscribe: 3, Unsubscribe: 4, SuspendGlobalSubscription: 5 } as const

/** Of table CC.2.5-3 on creation: those with a value, and some of those that may be empty. */
const TYPE_1 = ['ProcedureStepState', 'ScheduledProcedureStepPriority', 'ProcedureStepLabel', 'ScheduledProcedureStepStartDateTime', 'InputReadinessState']
const TYPE_2 = { PatientName: null, PatientID: null, ScheduledStationNameCodeSequence: [], ScheduledWorkitemCodeSequence: [], InputInformationSequence: [] }
/** Are created empty. */
const LATER = { ProcedureStepProgressInformationSequence: [], UnifiedProcedureStepPerformedProcedureSequence: [] }
const ASSIGNMENT = ['ScheduledStationNameCodeSequence', 'ScheduledHumanPerformersSequence']
const REASON = ['ReasonForCancellation', 'ProcedureStepDiscontinuationReasonCodeSequence']
/** Not to be set: the state is changed by N-ACTION. */
const FIXED = ['ProcedureStepState', 'SOPClassUID', 'SOPInstanceUID']

const options = z.strictObject({
  subscribers: z.record(z.string(), address).default({}).describe('Where AEs listen for events, by title'),
  worklistLabel: z.string().default('GENERAL').describe('For steps that come without one'),
  deletionLocks: z.boolean().default(true).describe('Whether a subscriber may keep a step from being deleted'),
  keepFinished: z.int().min(0).default(1000).describe('How many steps without a lock are kept when they are over'),
  maximumSteps: z.int().min(1).default(10_000).describe('How many steps there may be'),
})

interface Step {
  attributes: DataSet
  state: UpsState
  /** The lock; never given out. */
  transactionUid: string | undefined
}

export const unifiedProcedureStep = definePlugin({
  name: 'example-unified-procedure-step',
  options,

  apply(api, { subscribers, worklistLabel, deletionLocks, keepFinished, maximumSteps }) {
    const steps = new Map<string, Step>()
    const subscriptions = new Subscriptions()
    const events = new StepEvents(api, subscribers)
    const afterResponse = afterResponses(api)
    for (const uid of [PUSH, SopClass.UnifiedProcedureStepEvent, ...QUERIES]) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nCreate.tapPromise({ sopClasses: [PUSH] }, async ({ affectedSopInstanceUid: uid = createUid(), attributeList }, operation) => {
      const list = await attributesOf(attributeList)
      await requireAttributes(list, TYPE_1)
      const filled = ['TransactionUID', ...Object.keys(LATER)].filter((keyword) => !isEmpty(list[keyword]))
      if (filled.length > 0) throw await attributeError(Status.InvalidAttributeValue, filled)
      const { TransactionUID: _, ...given } = list
      if (given['ProcedureStepState'] !== 'SCHEDULED') return UpsStatus.NotScheduled
      if (steps.has(uid)) return Status.DuplicateSopInstance
      requireRoom(steps.size, maximumSteps)

      const isComplete = !isEmpty(given['WorklistLabel']) && Object.keys(TYPE_2).every((keyword) => Object.hasOwn(given, keyword))
      const label = isEmpty(given['WorklistLabel']) ? { WorklistLabel: worklistLabel } : {}
      const attributes = { ...TYPE_2, ...LATER, ...given, ...label, SOPClassUID: PUSH, SOPInstanceUID: uid, ScheduledProcedureStepModificationDateTime: now() }
      steps.set(uid, { attributes, state: 'SCHEDULED', transactionUid: undefined })
      const watchers = subscriptions.add(uid)
      afterResponse(operation, () => {
        events.state(uid, 'SCHEDULED', attributes)(watchers)
        events.assigned(uid, attributes)?.(watchers)
      })
      return { status: isComplete ? Status.Success : UpsStatus.CreatedWithModifications, affectedSopInstanceUid: uid }
    })

    api.hooks.nSet.tapPromise({ sopClasses: [PUSH] }, async ({ requestedSopInstanceUid: uid, modificationList }, operation) => {
      const { TransactionUID: transactionUid, ...changes } = await attributesOf(modificationList)
      const step = stepOf(uid)
      if (isFinal(step.state)) return UpsStatus.NoLongerUpdatable
      if (step.state === 'IN PROGRESS' && transactionUid !== step.transactionUid) return UpsStatus.WrongTransactionUid
      if (step.state === 'SCHEDULED' && !isEmpty(transactionUid)) return UpsStatus.NotInProgress
      const fixed = FIXED.filter((keyword) => Object.hasOwn(changes, keyword))
      if (fixed.length > 0) throw await attributeError(Status.NoSuchAttribute, fixed)

      const before = step.attributes
      const attributes: DataSet = { ...before, ...changes, ScheduledProcedureStepModificationDateTime: now() }
      step.attributes = attributes
      const watchers = subscriptions.of(uid)
      afterResponse(operation, () => {
        if (attributes['InputReadinessState'] !== before['InputReadinessState']) events.state(uid, step.state, attributes)(watchers)
        if (Object.hasOwn(changes, 'ProcedureStepProgressInformationSequence')) events.progress(uid, attributes)(watchers)
        if (ASSIGNMENT.some((keyword) => Object.hasOwn(changes, keyword))) events.assigned(uid, attributes)?.(watchers)
      })
      return Status.Success
    })

    api.hooks.nGet.tapPromise({ sopClasses: [PUSH] }, async ({ requestedSopInstanceUid: uid, attributeIdentifierList }) => {
      const { dataset, missing } = await selectAttributes(currentOf(stepOf(uid)), attributeIdentifierList)
      return { status: missing.length === 0 ? Status.Success : Status.OptionalAttributesNotSupported, dataset }
    })

    api.hooks.cFind.tap({ sopClasses: QUERIES }, async function* ({ identifier }) {
      const query = await identifier.dataset()
      const matching = await loadMatching()
      const { byName } = await loadDictionary()
      // Every attribute of the standard can be matched: what a step does not have matches an empty key alone.
      const known = Object.keys(query).filter((keyword) => byName(keyword) !== undefined && keyword !== 'TransactionUID')
      const { keys, isAll } = supportedKeys(query, Object.fromEntries(known.map((keyword) => [keyword, true as const])))
      const status = isAll ? QueryStatus.Pending : QueryStatus.PendingOptionalKeysNotSupported
      for (const step of [...steps.values()].map(currentOf)) {
        if (matching.matches(keys, step)) yield { identifier: matching.response(keys, step), status }
      }
    })

    api.hooks.nAction.tapPromise({ sopClasses: [PUSH] }, async ({ requestedSopInstanceUid: uid, actionTypeId, actionInformation }, operation) => {
      const information = await attributesOf(actionInformation)
      switch (actionTypeId) {
        case ActionType.ChangeState:
          return changeState(uid, information, operation)
        case ActionType.RequestCancel:
          return requestCancel(uid, information, operation)
        case ActionType.Subscribe:
        case ActionType.Unsubscribe:
        case ActionType.SuspendGlobalSubscription:
          return changeSubscription(actionTypeId, uid, information, operation)
        default:
          return Status.NoSuchAction
      }
    })

    /** PS3.4 CC.2.1 */
    function changeState(uid: string, { ProcedureStepState: to, TransactionUID: transactionUid }: DataSet, operation: Operation): number {
      const step = stepOf(uid)
      if (!isUpsState(to)) return Status.InvalidArgumentValue
      const isCorrect = typeof transactionUid === 'string' && (step.state === 'SCHEDULED' || transactionUid === step.transactionUid)
      const status = statusOfChange(step.state, to, isCorrect)
      if (status !== Status.Success) return status
      if (to === 'COMPLETED' && !isReadyToComplete(step.attributes)) return UpsStatus.FinalStateRequirementsNotMet
      if (to === 'IN PROGRESS') step.transactionUid = transactionUid as string
      if (to === 'CANCELED') step.attributes = withCancellation(step.attributes, now())
      step.state = to
      const announce = events.state(uid, to, step.attributes)
      const watchers = subscriptions.of(uid)
      afterResponse(operation, () => {
        announce(watchers)
        forget()
      })
      return Status.Success
    }

    /** PS3.4 CC.2.2; this SCP performs no steps itself. */
    function requestCancel(uid: string, information: DataSet, operation: Operation): number {
      const step = stepOf(uid)
      const watchers = subscriptions.of(uid)
      if (step.state === 'COMPLETED') return UpsStatus.AlreadyCompleted
      if (step.state === 'CANCELED') return UpsStatus.AlreadyCanceledWarning
      if (step.state === 'IN PROGRESS' && watchers.length === 0) return UpsStatus.PerformerNotReachable
      const isCanceled = step.state === 'SCHEDULED'
      if (isCanceled) {
        step.attributes = withCancellation(step.attributes, now(), picked(information, REASON))
        step.state = 'CANCELED'
      }
      const reason = picked(information, [...REASON, 'ContactURI', 'ContactDisplayName'])
      const announcements = [events.cancelRequested(uid, operation.association.callingAeTitle, reason)]
      // Through IN PROGRESS, even though nobody has worked on it (table CC.1.1-2).
      if (isCanceled) announcements.push(events.state(uid, 'IN PROGRESS', step.attributes), events.state(uid, 'CANCELED', step.attributes))
      afterResponse(operation, () => {
        for (const announce of announcements) announce(watchers)
        forget()
      })
      return Status.Success
    }

    /** PS3.4 CC.2.3 */
    function changeSubscription(actionTypeId: number, uid: string, information: DataSet, operation: Operation): number {
      const { ReceivingAE: aeTitle, DeletionLock: lock } = information
      const isGlobal = uid === ALL_STEPS
      if (typeof aeTitle !== 'string') return Status.InvalidArgumentValue
      if (uid === FILTERED_STEPS) return UpsStatus.NoSuchInstance
      if (!isGlobal) stepOf(uid)
      afterResponse(operation, forget)
      if (actionTypeId === ActionType.SuspendGlobalSubscription) {
        if (!isGlobal) return UpsStatus.ActionNotAppropriate
        subscriptions.suspend(aeTitle)
        return Status.Success
      }
      if (actionTypeId === ActionType.Unsubscribe) {
        if (isGlobal) subscriptions.unsubscribeFromAll(aeTitle)
        else subscriptions.unsubscribe(uid, aeTitle)
        return Status.Success
      }
      if (lock !== 'TRUE' && lock !== 'FALSE') return Status.InvalidArgumentValue
      if (!events.canReach(aeTitle)) return UpsStatus.ReceivingAeTitleUnknown
      const isLocked = lock === 'TRUE' && deletionLocks
      const added = isGlobal ? subscriptions.subscribeToAll(aeTitle, isLocked) : [uid]
      if (!isGlobal) subscriptions.subscribe(uid, aeTitle, isLocked)
      // Who subscribes to all without a lock hears of changes only.
      const initial = isGlobal && lock === 'FALSE' ? [] : added.map((one) => events.state(one, stepOf(one).state, stepOf(one).attributes))
      afterResponse(operation, () => {
        for (const announce of initial) announce([aeTitle])
        forget()
      })
      return lock === 'TRUE' && !isLocked ? UpsStatus.DeletionLockNotGranted : Status.Success
    }

    /** @throws StatusError C307 */
    function stepOf(uid: string): Step {
      const step = steps.get(uid)
      if (step === undefined) throw new StatusError(UpsStatus.NoSuchInstance)
      return step
    }

    /** Steps that are over and that nobody holds on to go, the oldest first. */
    function forget(): void {
      const over = [...steps].filter(([uid, { state }]) => isFinal(state) && !subscriptions.isLocked(uid))
      for (const [uid] of over.slice(0, Math.max(0, over.length - keepFinished))) {
        steps.delete(uid)
        subscriptions.remove(uid)
      }
    }
  },
})

function currentOf({ attributes, state }: Step): DataSet {
  return { ...attributes, ProcedureStepState: state }
}

/** A DT value: date and time, to the second, in UTC. */
function now(): string {
  return `${new Date().toISOString().replace(/\..*|[-:T]/g, '')}+0000`
}
