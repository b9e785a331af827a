/** The states of a unified procedure step, and when they may change (PS3.4 CC.1.1). */
import { Status, UnifiedProcedureStepStatus as UpsStatus } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { isEmpty } from '../shared/attributes.ts'
import { itemsOf } from '../shared/matching.ts'

export type UpsState = 'SCHEDULED' | 'IN PROGRESS' | 'COMPLETED' | 'CANCELED'

/** Table CC.1.1-2: what answers a request for a state, in the order of the states that a step may be in. */
const CHANGES: Readonly<Record<Exclude<UpsState, 'SCHEDULED'>, Readonly<Record<UpsState, number>>>> = {
  'IN PROGRESS': {
    SCHEDULED: Status.Success,
    'IN PROGRESS': UpsStatus.AlreadyInProgress,
    COMPLETED: UpsStatus.NoLongerUpdatable,
    CANCELED: UpsStatus.NoLongerUpdatable,
  },
  COMPLETED: {
    SCHEDULED: UpsStatus.NotInProgress,
    'IN PROGRESS': Status.Success,
    COMPLETED: UpsStatus.AlreadyCompletedWarning,
    CANCELED: UpsStatus.NoLongerUpdatable,
  },
  CANCELED: {
    SCHEDULED: UpsStatus.NotInProgress,
    'IN PROGRESS': Status.Success,
    COMPLETED: UpsStatus.NoLongerUpdatable,
    CANCELED: UpsStatus.AlreadyCanceledWarning,
  },
}

export function isUpsState(value: unknown): value is UpsState {
  return value === 'SCHEDULED' || (typeof value === 'string' && Object.hasOwn(CHANGES, value))
}

export function isFinal(state: UpsState): boolean {
  return state === 'COMPLETED' || state === 'CANCELED'
}

/** The status that answers a change of state, 0000 when it may be made. */
export function statusOfChange(from: UpsState, to: UpsState, isTransactionUidCorrect: boolean): number {
  if (to === 'SCHEDULED') return UpsStatus.ScheduledByCreateOnly
  return isTransactionUidCorrect ? CHANGES[to][from] : UpsStatus.WrongTransactionUid
}

/** Attributes with final state code P in table CC.2.5-3. */
const PERFORMED = [
  'PerformedStationNameCodeSequence',
  'PerformedProcedureStepStartDateTime',
  'PerformedWorkitemCodeSequence',
  'PerformedProcedureStepEndDateTime',
]

/** May the step become COMPLETED? What CANCELED needs, code X, the SCP can say itself: {@link withCancellation}. */
export function isReadyToComplete(step: DataSet): boolean {
  const [performed] = itemsOf(step['UnifiedProcedureStepPerformedProcedureSequence'])
  // Output Information Sequence may be empty when there is no output.
  return performed !== undefined && PERFORMED.every((keyword) => !isEmpty(performed[keyword])) && Object.hasOwn(performed, 'OutputInformationSequence')
}

/** When and why it was canceled, as far as nobody has said so yet. */
export function withCancellation(step: DataSet, dateTime: string, reason: DataSet = {}): DataSet {
  const [progress = {}] = itemsOf(step['ProcedureStepProgressInformationSequence'])
  const unspecified = { CodeValue: '110513', CodingSchemeDesignator: 'DCM', CodeMeaning: 'Discontinued for unspecified reason' }
  return {
    ...step,
    ProcedureStepProgressInformationSequence: [
      { ProcedureStepCancellationDateTime: dateTime, ProcedureStepDiscontinuationReasonCodeSequence: [unspecified], ...reason, ...progress },
    ],
  }
}
