/**
 * Storage commitment, push model (PS3.4 J): a modality asks whether the instances that it has sent are safe, and may
 * delete its own copies when it hears that they are.
 *
 * It goes with whatever stores: an instance counts as safe once its C-STORE was answered with success or a warning.
 * The result goes to the requestor on its association while that is open, else on a new one on which this side asks
 * for the role of SCP, under the same AE title (J.3.3.1.2). A Transaction UID is good for one request.
 *
 * Answers to N-ACTION: 0000; 0112 not the well-known instance; 0115 no Transaction UID, no instances, or one named
 * twice; 0123 another action. Event 1: all are safe. Event 2: some are not, each with a reason: 0112 unknown, 0119
 * of another SOP class, 0122 of a SOP class that is not stored here, 0131 the Transaction UID was used before.
 *
 * It does not do: remembering across restarts, and trying again when the requestor cannot be reached.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  SopClass,
  Status,
  StatusError,
  WellKnownInstance,
  definePlugin,
  isValidUid,
  statusCategory,
} from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { attributesOf, keepLatest } from './shared/bounds.ts'
import { EventReporter, address, afterResponses } from './shared/event-reports.ts'
import { itemsOf } from './shared/matching.ts'

const SOP_CLASS = SopClass.StorageCommitmentPushModel
const SOP_INSTANCE = WellKnownInstance.StorageCommitmentPushModelInstance
const REQUEST_COMMITMENT = 1
const EventType = { Success: 1, FailuresExist: 2 } as const

/** Failure Reason (0008,1197) of PS3.3 C.14.1.1. */
const FailureReason = {
  NoSuchObjectInstance: 0x0112,
  ClassInstanceConflict: 0x0119,
  SopClassNotSupported: 0x0122,
  DuplicateTransactionUid: 0x0131,
} as const

interface Reference {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
}

const options = z.strictObject({
  requestors: z.record(z.string(), address).default({}).describe('Where requestors listen for results, by AE title'),
  newAssociation: z.boolean().default(false).describe('Never use the association of the request, which some modalities need'),
  maximumInstances: z.int().min(1).default(100_000).describe('How many instances are remembered as stored, and half as many transactions'),
})

export const storageCommitment = definePlugin({
  name: 'example-storage-commitment',
  options,

  apply(api, { requestors, newAssociation, maximumInstances }) {
    const stored = new Map<string, string>()
    const transactions = new Set<string>()
    const events = new EventReporter(api, SOP_CLASS, requestors)
    const afterResponse = afterResponses(api)
    api.supportSopClass({ uid: SOP_CLASS, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.operationCompleted.tap(({ operation: { request }, status }) => {
      if (request.service !== 'C-STORE' || !['success', 'warning'].includes(statusCategory(status))) return
      stored.delete(request.affectedSopInstanceUid)
      stored.set(request.affectedSopInstanceUid, request.affectedSopClassUid)
      keepLatest(stored, maximumInstances)
    })

    api.hooks.nAction.tapPromise({ sopClasses: [SOP_CLASS] }, async (request, operation) => {
      if (request.requestedSopInstanceUid !== SOP_INSTANCE) return Status.NoSuchSopInstance
      if (request.actionTypeId !== REQUEST_COMMITMENT) return Status.NoSuchAction
      const { transactionUid, references } = readRequest(await attributesOf(request.actionInformation))
      const { callingAeTitle: aeTitle, calledAeTitle: scpAeTitle } = operation.association
      const transaction = `${aeTitle} ${transactionUid}`
      const isRepeated = transactions.has(transaction)
      transactions.add(transaction)
      keepLatest(transactions, maximumInstances / 2)
      const association = newAssociation ? {} : { association: operation.association }
      afterResponse(operation, () => {
        const reasonOf = (reference: Reference) => (isRepeated ? FailureReason.DuplicateTransactionUid : failureReasonOf(reference))
        events.send({ aeTitle, scpAeTitle, ...association }, resultOf(transactionUid, references, reasonOf))
      })
      return Status.Success
    })

    function failureReasonOf({ sopClassUid, sopInstanceUid }: Reference): number | undefined {
      if (stored.get(sopInstanceUid) === sopClassUid) return undefined
      if (stored.has(sopInstanceUid)) return FailureReason.ClassInstanceConflict
      const isSupported = api.applicationEntity.supportedContexts.some(({ abstractSyntax }) => abstractSyntax === sopClassUid)
      return isSupported ? FailureReason.NoSuchObjectInstance : FailureReason.SopClassNotSupported
    }
  },
})

/** @throws StatusError 0115 when something of table J.3-1 is missing or wrong */
function readRequest(information: DataSet): { readonly transactionUid: string; readonly references: readonly Reference[] } {
  const invalid = (errorComment: string): StatusError => new StatusError(Status.InvalidArgumentValue, { errorComment })
  const { TransactionUID: transactionUid } = information
  if (typeof transactionUid !== 'string' || !isValidUid(transactionUid)) throw invalid('Transaction UID is missing or no UID')
  const references = itemsOf(information['ReferencedSOPSequence']).map((item) => ({
    sopClassUid: String(item['ReferencedSOPClassUID']),
    sopInstanceUid: String(item['ReferencedSOPInstanceUID']),
  }))
  if (references.length === 0) throw invalid('Referenced SOP Sequence has no items')
  if (references.some(({ sopClassUid, sopInstanceUid }) => !isValidUid(sopClassUid) || !isValidUid(sopInstanceUid))) {
    throw invalid('A referenced SOP Class or SOP Instance UID is no UID')
  }
  // PS3.4 J.3.2.1.1.3
  if (new Set(references.map(({ sopInstanceUid }) => sopInstanceUid)).size < references.length) throw invalid('An instance is referenced twice')
  return { transactionUid, references }
}

/** Each instance of the request is in one of the two sequences (PS3.4 J.3.3.1.2). */
function resultOf(
  transactionUid: string,
  references: readonly Reference[],
  reasonOf: (reference: Reference) => number | undefined,
): { affectedSopClassUid: string; affectedSopInstanceUid: string; eventTypeId: number; eventInformation: DataSet } {
  const safe: DataSet[] = []
  const failed: DataSet[] = []
  for (const reference of references) {
    const item = { ReferencedSOPClassUID: reference.sopClassUid, ReferencedSOPInstanceUID: reference.sopInstanceUid }
    const reason = reasonOf(reference)
    if (reason === undefined) safe.push(item)
    else failed.push({ ...item, FailureReason: reason })
  }
  return {
    affectedSopClassUid: SOP_CLASS,
    affectedSopInstanceUid: SOP_INSTANCE,
    eventTypeId: failed.length === 0 ? EventType.Success : EventType.FailuresExist,
    eventInformation: {
      TransactionUID: transactionUid,
      ...(safe.length === 0 ? {} : { ReferencedSOPSequence: safe }),
      ...(failed.length === 0 ? {} : { FailedSOPSequence: failed }),
    },
  }
}
