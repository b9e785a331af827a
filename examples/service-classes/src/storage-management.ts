/**
 * Storage management (PS3.4 KK): a peer has an inventory made of all that an archive holds, which may take days.
 *
 * N-ACTION begins it (11), asks how it goes (12), cancels (13), pauses (14) and resumes it (15). Every change, and every
 * request, is followed by an event: 12 with the state and how many studies there are so far, and at the end 11, when there
 * is an Inventory, or 13. Events go to the requestor's association while it is open, else to its address in the options.
 * The studies come from `studies`, one by one; the Inventory goes to `save`.
 *
 * Answers: 0000; B010 keys of the scope are not supported, and are ignored; 0112 not the well-known instance; 0115 no, a
 * used or an unknown Transaction UID, or no Inventory Level; 0123 another action; 0213 too many are being made.
 *
 * It does not do: series and instances within the studies, and status reports at an interval.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  SopClass,
  Status,
  StatusError,
  StorageManagementStatus,
  WellKnownInstance,
  createUid,
  definePlugin,
  isValidUid,
} from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { isEmpty } from './shared/attributes.ts'
import { attributesOf, requireRoom } from './shared/bounds.ts'
import { EventReporter, address, afterResponses } from './shared/event-reports.ts'
import type { Recipient } from './shared/event-reports.ts'
import { itemsOf, loadMatching, supportedKeys } from './shared/matching.ts'

const SOP_CLASS = SopClass.InventoryCreation
const SOP_INSTANCE = WellKnownInstance.StorageManagementInstance
const ActionType = { Initiate: 11, RequestStatus: 12, Cancel: 13, Pause: 14, Resume: 15 } as const
const EventType = { TerminatedWithInstances: 11, Status: 12, TerminatedWithoutInstances: 13 } as const
const LEVELS: ReadonlySet<unknown> = new Set(['STUDY', 'SERIES', 'INSTANCE'])
/** What studies are chosen by. */
const KEYS = { StudyInstanceUID: true, StudyDate: true, PatientID: true, PatientName: true, AccessionNumber: true, ModalitiesInStudy: true } as const
/** The mechanisms that are supported, each an item with keys (PS3.3 C.38.2.1). */
const MECHANISMS = ['GeneralMatchingSequence', 'RangeMatchingSequence', 'ListOfUIDMatchingSequence']

type Studies = (signal: AbortSignal) => AsyncIterable<DataSet> | Iterable<DataSet>

const options = z.strictObject({
  requestors: z.record(z.string(), address).default({}).describe('Where requestors listen for events, by AE title'),
  studies: z.custom<Studies>((value) => typeof value === 'function').optional().describe('What the archive holds; default: nothing'),
  maximumRunning: z.int().min(1).default(4).describe('How many inventories are made at once; as many that are over are remembered'),
  save: z.custom<(inventory: DataSet) => Promise<void> | void>((value) => typeof value === 'function').optional(),
})

interface Production {
  readonly transactionUid: string
  readonly recipient: Recipient
  readonly level: string
  /** One for each study. */
  readonly records: DataSet[]
  readonly abort: AbortController
  status: 'PROCESSING' | 'PAUSED' | 'COMPLETE' | 'FAILURE' | 'CANCELED'
  /** Of a cancelled one: is an Inventory made of what there is? */
  isRetained: boolean
  resume: () => void
}

export const storageManagement = definePlugin({
  name: 'example-storage-management',
  options,

  apply(api, { requestors, studies = () => [], save = () => {}, maximumRunning }) {
    const productions = new Map<string, Production>()
    const events = new EventReporter(api, SOP_CLASS, requestors)
    const afterResponse = afterResponses(api)
    api.supportSopClass({ uid: SOP_CLASS, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nAction.tapPromise({ sopClasses: [SOP_CLASS] }, async ({ requestedSopInstanceUid, actionTypeId, actionInformation }, operation) => {
      if (requestedSopInstanceUid !== SOP_INSTANCE) return Status.NoSuchSopInstance
      if (!Object.values<number>(ActionType).includes(actionTypeId)) return Status.NoSuchAction
      const information = await attributesOf(actionInformation)
      const { TransactionUID: transactionUid } = information
      if (typeof transactionUid !== 'string' || !isValidUid(transactionUid)) throw invalid('Transaction UID is missing or no UID')
      const existing = productions.get(transactionUid)
      if (actionTypeId !== ActionType.Initiate) {
        if (existing === undefined) throw invalid('No such transaction')
        afterResponse(operation, () => request(existing, actionTypeId, information['RetainInstances'] === 'YES'))
        return Status.Success
      }

      if (existing !== undefined) throw invalid('The Transaction UID is in use')
      const { InventoryLevel: level } = information
      if (!LEVELS.has(level)) throw invalid('No Inventory Level')
      const over = [...productions].filter(([, one]) => !isRunning(one))
      requireRoom(productions.size - over.length, maximumRunning)
      for (const [uid] of over.slice(0, Math.max(0, over.length - maximumRunning))) productions.delete(uid)
      const { association } = operation
      const production: Production = {
        transactionUid,
        recipient: { aeTitle: association.callingAeTitle, scpAeTitle: association.calledAeTitle, association },
        level: String(level),
        records: [],
        abort: new AbortController(),
        status: 'PROCESSING',
        isRetained: false,
        resume: () => {},
      }
      productions.set(transactionUid, production)
      const { keys, isAll } = scopeOf(information)
      afterResponse(operation, () => {
        report(production, EventType.Status)
        void produce(production, keys)
      })
      return isAll ? Status.Success : StorageManagementStatus.KeysNotSupported
    })

    /** What does not fit the state changes nothing: the event says what the state is. */
    function request(production: Production, actionTypeId: number, retain: boolean): void {
      const { status } = production
      if (actionTypeId === ActionType.Cancel && isRunning(production)) {
        // The production ends, and reports that, where it stands.
        production.isRetained = retain
        production.abort.abort()
        production.resume()
        return
      }
      if (actionTypeId === ActionType.Pause && status === 'PROCESSING') production.status = 'PAUSED'
      if (actionTypeId === ActionType.Resume && status === 'PAUSED') production.status = 'PROCESSING'
      report(production, EventType.Status)
      if (production.status === 'PROCESSING') production.resume()
    }

    async function produce(production: Production, keys: DataSet): Promise<void> {
      try {
        production.status = await collect(production, keys)
        const isMade = production.status === 'COMPLETE' || production.isRetained
        if (isMade) report(production, EventType.TerminatedWithInstances, await inventoryOf(production))
        else report(production, EventType.TerminatedWithoutInstances)
      } catch (error) {
        api.log.error('an inventory was not produced', { error })
        production.status = 'FAILURE'
        report(production, EventType.TerminatedWithoutInstances)
      }
    }

    async function collect(production: Production, keys: DataSet): Promise<'COMPLETE' | 'CANCELED'> {
      const signal = AbortSignal.any([production.abort.signal, api.signal])
      const matching = await loadMatching()
      try {
        for await (const study of studies(signal)) {
          while (production.status === 'PAUSED' && !signal.aborted) {
            await new Promise<void>((resolve) => {
              production.resume = resolve
            })
          }
          if (signal.aborted) break
          if (matching.matches(keys, study)) production.records.push(study)
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
      return signal.aborted ? 'CANCELED' : 'COMPLETE'
    }

    /** @returns how it is named in the event */
    async function inventoryOf({ level, status, records }: Production): Promise<DataSet> {
      const uid = createUid()
      await save({
        SOPClassUID: SopClass.InventoryStorage,
        SOPInstanceUID: uid,
        InventoryLevel: level,
        InventoryCompletionStatus: status === 'COMPLETE' ? 'COMPLETE' : 'PARTIAL',
        TotalNumberOfStudyRecords: BigInt(records.length),
        InventoriedStudiesSequence: records,
      })
      return { ReferencedSOPClassUID: SopClass.InventoryStorage, ReferencedSOPInstanceUID: uid, RetrieveAETitle: api.config.aeTitle }
    }

    function report({ recipient, transactionUid, status, records }: Production, eventTypeId: number, more: DataSet = {}): void {
      const count = eventTypeId === EventType.TerminatedWithoutInstances ? {} : { TotalNumberOfStudyRecords: BigInt(records.length) }
      const eventInformation = { TransactionUID: transactionUid, TransactionStatus: status, ...count, ...more }
      events.send(recipient, { affectedSopClassUid: SOP_CLASS, affectedSopInstanceUid: SOP_INSTANCE, eventTypeId, eventInformation })
    }
  },
})

function isRunning({ status }: Production): boolean {
  return status === 'PROCESSING' || status === 'PAUSED'
}

/** The keys of all mechanisms together; those that are not supported are left out. */
function scopeOf(information: DataSet): { keys: DataSet; isAll: boolean } {
  const [scope = {}] = itemsOf(information['ScopeOfInventorySequence'])
  const { keys, isAll } = supportedKeys(Object.assign({}, ...MECHANISMS.map((mechanism) => itemsOf(scope[mechanism])[0] ?? {})) as DataSet, KEYS)
  return { keys, isAll: isAll && isEmpty(scope['EmptyValueMatchingSequence']) && isEmpty(scope['ExtendedMatchingMechanisms']) }
}

function invalid(errorComment: string): StatusError {
  return new StatusError(Status.InvalidArgumentValue, { errorComment })
}
