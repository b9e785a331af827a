/**
 * Media creation management (PS3.4 S): an SCU has instances written to interchange media that it stored here before.
 *
 * N-CREATE says what is wanted, N-ACTION begins it (1) or takes it back (2), N-GET tells how it goes: IDLE, PENDING,
 * CREATING, and DONE or FAILURE. Requests are worked on one after another; `record` writes the media. As the standard
 * advises, what is asked for is checked when the creation is begun, so that N-GET can tell what is missing (S.3.2.1.3).
 *
 * Answers: N-CREATE 0000, 0111, 0120, 0121, 0213 too many, A510. N-ACTION 0000, 0112, 0123, A510 begun already; C201 to C203 cannot be
 * cancelled any more. N-GET 0000, 0001, 0112.
 *
 * It does not do: labels, splitting, media application profiles; results go when there are more than `keepFinished`.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  MediaCreationStatus,
  SopClass,
  Status,
  createUid,
  definePlugin,
  selectAttributes,
  statusCategory,
} from '@dicomtap/framework'
import type { DataSet, Operation } from '@dicomtap/framework'
import { z } from 'zod'
import { requireAttributes } from './shared/attributes.ts'
import { attributesOf, keepLatest, requireRoom } from './shared/bounds.ts'
import { afterResponses } from './shared/event-reports.ts'
import { itemsOf } from './shared/matching.ts'

const SOP_CLASS = SopClass.MediaCreationManagement
const ActionType = { Initiate: 1, Cancel: 2 } as const
const MAXIMUM_INSTANCES = 100_000
const NO_SUCH_OBJECT_INSTANCE = 0x0112

export interface MediaRequest {
  readonly sopInstanceUid: string
  /** As created. */
  readonly attributes: DataSet
  readonly sopInstanceUids: readonly string[]
  readonly copies: number
}
/** A piece of media that was written. */
export interface RecordedMedium {
  readonly fileSetId: string
  readonly fileSetUid: string
}
type Recorder = (request: MediaRequest, signal: AbortSignal) => Promise<readonly RecordedMedium[]>

const options = z.strictObject({
  record: z.custom<Recorder>((value) => typeof value === 'function').optional().describe('Writes the media; default: none are written'),
  cancel: z.enum(['always', 'waiting', 'never']).default('waiting').describe('Which requests can be cancelled'),
  keepFinished: z.int().min(1).default(100).describe('How many requests that are over can be asked for'),
  maximumRequests: z.int().min(1).default(1000).describe('How many requests may be there that are not over'),
})

interface Job {
  readonly attributes: DataSet
  readonly abort: AbortController
  status: 'IDLE' | 'PENDING' | 'CREATING' | 'DONE' | 'FAILURE'
  result: DataSet
}

export const mediaCreation = definePlugin({
  name: 'example-media-creation',
  options,

  apply(api, { record = () => Promise.resolve([]), cancel, keepFinished, maximumRequests }) {
    const stored = new Set<string>()
    const jobs = new Map<string, Job>()
    const afterResponse = afterResponses(api)
    let last = Promise.resolve()
    api.supportSopClass({ uid: SOP_CLASS, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.operationCompleted.tap(({ operation: { request }, status }) => {
      const isStored = request.service === 'C-STORE' && ['success', 'warning'].includes(statusCategory(status))
      if (!isStored) return
      stored.delete(request.affectedSopInstanceUid)
      stored.add(request.affectedSopInstanceUid)
      keepLatest(stored, MAXIMUM_INSTANCES)
    })

    api.hooks.nCreate.tapPromise({ sopClasses: [SOP_CLASS] }, async ({ affectedSopInstanceUid: uid = createUid(), attributeList }) => {
      const attributes = await attributesOf(attributeList)
      await requireAttributes(attributes, ['ReferencedSOPSequence'])
      for (const item of itemsOf(attributes['ReferencedSOPSequence'])) await requireAttributes(item, ['ReferencedSOPClassUID', 'ReferencedSOPInstanceUID'])
      const existing = jobs.get(uid)
      if (existing !== undefined) return existing.status === 'IDLE' ? Status.DuplicateSopInstance : MediaCreationStatus.AlreadyInitiated
      requireRoom([...jobs.values()].filter((job) => !isOver(job)).length, maximumRequests)
      jobs.set(uid, { attributes, abort: new AbortController(), status: 'IDLE', result: { ExecutionStatusInfo: 'NORMAL' } })
      return { status: Status.Success, affectedSopInstanceUid: uid }
    })

    api.hooks.nAction.tapPromise({ sopClasses: [SOP_CLASS] }, async ({ requestedSopInstanceUid: uid, actionTypeId, actionInformation }, operation) => {
      const information = await attributesOf(actionInformation)
      const job = jobs.get(uid)
      if (job === undefined) return Status.NoSuchSopInstance
      if (actionTypeId === ActionType.Initiate) return initiate(uid, job, information, operation)
      return actionTypeId === ActionType.Cancel ? cancelled(uid, job) : Status.NoSuchAction
    })

    api.hooks.nGet.tapPromise({ sopClasses: [SOP_CLASS] }, async ({ requestedSopInstanceUid, attributeIdentifierList }) => {
      const job = jobs.get(requestedSopInstanceUid)
      if (job === undefined) return Status.NoSuchSopInstance
      const results = { TotalNumberOfPiecesOfMediaCreated: 0, FailedSOPSequence: [], ReferencedStorageMediaSequence: [], ...job.result }
      const { dataset, missing } = await selectAttributes({ ExecutionStatus: job.status, ...results }, attributeIdentifierList)
      return { status: missing.length === 0 ? Status.Success : Status.OptionalAttributesNotSupported, dataset }
    })

    function initiate(uid: string, job: Job, { NumberOfCopies: copies = 1 }: DataSet, operation: Operation): number {
      if (job.status !== 'IDLE') return MediaCreationStatus.AlreadyInitiated
      job.status = 'PENDING'
      job.result = { ExecutionStatusInfo: 'QUEUED' }
      const references = itemsOf(job.attributes['ReferencedSOPSequence'])
      const sopInstanceUids = references.map((item) => String(item['ReferencedSOPInstanceUID']))
      const request = { sopInstanceUid: uid, attributes: job.attributes, sopInstanceUids, copies: Number(copies) }
      afterResponse(operation, () => {
        last = last.then(() => create(job, request))
      })
      return Status.Success
    }

    async function create(job: Job, request: MediaRequest): Promise<void> {
      if (job.abort.signal.aborted) return
      const missing = itemsOf(job.attributes['ReferencedSOPSequence']).filter((item) => !stored.has(String(item['ReferencedSOPInstanceUID'])))
      if (missing.length > 0) {
        const FailedSOPSequence = missing.map((item) => ({
          ReferencedSOPClassUID: item['ReferencedSOPClassUID'],
          ReferencedSOPInstanceUID: item['ReferencedSOPInstanceUID'],
          FailureReason: NO_SUCH_OBJECT_INSTANCE,
        }))
        finish(job, 'FAILURE', { ExecutionStatusInfo: 'NO_INSTANCE', FailedSOPSequence })
        return
      }
      job.status = 'CREATING'
      job.result = { ExecutionStatusInfo: 'NORMAL' }
      try {
        const media = await record(request, job.abort.signal)
        finish(job, 'DONE', {
          ExecutionStatusInfo: 'NORMAL',
          TotalNumberOfPiecesOfMediaCreated: media.length,
          ReferencedStorageMediaSequence: media.map(({ fileSetId, fileSetUid }) => ({ StorageMediaFileSetID: fileSetId, StorageMediaFileSetUID: fileSetUid })),
        })
      } catch (error) {
        if (!job.abort.signal.aborted) api.log.error('media were not created', { request: request.sopInstanceUid, error })
        finish(job, 'FAILURE', { ExecutionStatusInfo: 'MCD_FAILURE' })
      }
    }

    function finish(job: Job, status: 'DONE' | 'FAILURE', result: DataSet): void {
      job.status = status
      job.result = result
      const over = [...jobs].filter(([, one]) => isOver(one))
      for (const [uid] of over.slice(0, Math.max(0, over.length - keepFinished))) jobs.delete(uid)
    }

    /** A request that was cancelled is gone (PS3.4 S.3.2.3.2). */
    function cancelled(uid: string, job: Job): number {
      if (isOver(job)) return MediaCreationStatus.AlreadyCompleted
      if (cancel === 'never') return MediaCreationStatus.CancellationDenied
      if (job.status === 'CREATING' && cancel === 'waiting') return MediaCreationStatus.AlreadyInProgress
      job.abort.abort()
      jobs.delete(uid)
      return Status.Success
    }
  },
})

function isOver({ status }: Job): boolean {
  return status === 'DONE' || status === 'FAILURE'
}
