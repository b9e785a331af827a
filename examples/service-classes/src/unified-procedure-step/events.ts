/** The N-EVENT-REPORTs about unified procedure steps (PS3.4 CC.2.4). */
import { SopClass } from '@dicomtap/framework'
import type { Association, DataSet, PluginApi } from '@dicomtap/framework'
import { isEmpty } from '../shared/attributes.ts'
import { EventReporter } from '../shared/event-reports.ts'
import type { Address } from '../shared/event-reports.ts'
import { itemsOf } from '../shared/matching.ts'

const EventType = { StateReport: 1, CancelRequested: 2, Progress: 3, Assigned: 5 } as const

/** Says something to subscribers, by AE title. */
export type Announcement = (aeTitles: readonly string[]) => void

export class StepEvents {
  readonly #api: PluginApi
  readonly #reporter: EventReporter

  constructor(api: PluginApi, addresses: Readonly<Record<string, Address>>) {
    this.#api = api
    this.#reporter = new EventReporter(api, SopClass.UnifiedProcedureStepEvent, addresses)
  }

  /** Has the AE an address, or an association on which it takes events? */
  canReach(aeTitle: string): boolean {
    return this.#reporter.knows(aeTitle) || this.#associationWith(aeTitle) !== undefined
  }

  state(uid: string, state: string, attributes: DataSet): Announcement {
    return this.#announcement(uid, EventType.StateReport, { ProcedureStepState: state, ...picked(attributes, ['InputReadinessState']) })
  }

  progress(uid: string, attributes: DataSet): Announcement {
    return this.#announcement(uid, EventType.Progress, picked(attributes, ['ProcedureStepProgressInformationSequence']))
  }

  /** Undefined when it is nobody's. */
  assigned(uid: string, attributes: DataSet): Announcement | undefined {
    const [performer = {}] = itemsOf(attributes['ScheduledHumanPerformersSequence'])
    const assignment = { ...attributes, ...picked(performer, ['HumanPerformerCodeSequence', 'HumanPerformerOrganization']) }
    const information = picked(assignment, ['ScheduledStationNameCodeSequence', 'HumanPerformerCodeSequence', 'HumanPerformerOrganization'])
    return Object.keys(information).length === 0 ? undefined : this.#announcement(uid, EventType.Assigned, information)
  }

  cancelRequested(uid: string, requestingAe: string, reason: DataSet): Announcement {
    return this.#announcement(uid, EventType.CancelRequested, { RequestingAE: requestingAe, ...reason })
  }

  #announcement(uid: string, eventTypeId: number, eventInformation: DataSet): Announcement {
    const report = { affectedSopClassUid: SopClass.UnifiedProcedureStepPush, affectedSopInstanceUid: uid, eventTypeId, eventInformation }
    return (aeTitles) => {
      for (const aeTitle of aeTitles) {
        const association = this.#associationWith(aeTitle)
        this.#reporter.send(association === undefined ? { aeTitle } : { aeTitle, association }, report)
      }
    }
  }

  #associationWith(aeTitle: string): Association | undefined {
    return this.#api.applicationEntity.activeAssociations.find(
      ({ callingAeTitle, acceptedContexts }) =>
        callingAeTitle === aeTitle &&
        acceptedContexts.some(({ abstractSyntax, asScp }) => abstractSyntax === SopClass.UnifiedProcedureStepEvent && asScp),
    )
  }
}

/** Those of the attributes that have a value. */
export function picked(dataset: DataSet, keywords: readonly string[]): DataSet {
  return Object.fromEntries(keywords.filter((keyword) => !isEmpty(dataset[keyword])).map((keyword) => [keyword, dataset[keyword]]))
}
