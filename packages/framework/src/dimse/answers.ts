import { DicomtapError } from '../errors/index.ts'
import { isIterable } from '../hooks/guard-items.ts'
import type { OutgoingDataSet, StatusDetails } from './types.ts'
import { statusCategory } from './status.ts'
import { QueryStatus, Status } from './status-names.ts'

/** What the handlers of services answered, as the core goes on with it: copied, so that it is read once. */

interface CheckedStatus extends StatusDetails {
  readonly dataset: OutgoingDataSet | undefined
  readonly affectedSopInstanceUid: string | undefined
}

const LARGEST_TAG = 0xffff_ffff
const LARGEST_US = 0xffff

export function wrongAnswer(must: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_HOOK_ANSWER', `it must be ${must}`)
}

/** The fields of an answer that must be an object. @throws DICOMTAP_ERR_HOOK_ANSWER */
export function fieldsOf(answer: unknown, must: string): Readonly<Record<string, unknown>> {
  if (typeof answer === 'object' && answer !== null && !Array.isArray(answer)) return answer as Readonly<Record<string, unknown>>
  throw wrongAnswer(must)
}

export function isFinalStatus(status: unknown): status is number {
  return isInteger(status, LARGEST_US) && statusCategory(status) !== 'pending'
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedStatus(answer: unknown): number | CheckedStatus {
  if (isFinalStatus(answer)) return answer
  const must = 'a status that can end an operation, or { status } with details'
  const fields = fieldsOf(answer, must)
  const { status, errorComment, offendingElements, errorId, attributeIdentifierList, dataset, affectedSopInstanceUid } = fields
  if (!isFinalStatus(status)) throw wrongAnswer(must)
  return {
    status,
    errorComment: optional('errorComment, a text', isText, errorComment),
    offendingElements: optional('offendingElements, a list of tags as numbers', areTags, offendingElements)?.slice(),
    errorId: optional('errorId, a number of 16 bits', isErrorId, errorId),
    attributeIdentifierList: optional('attributeIdentifierList, a list of tags as numbers', areTags, attributeIdentifierList)?.slice(),
    dataset: optional('dataset, a data set or its bytes', isDataSet, dataset),
    affectedSopInstanceUid: optional('affectedSopInstanceUid, a UID', isText, affectedSopInstanceUid),
  }
}

/** Of `responseStatus`: a status and its details, and nothing else of a response. @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedDetails(answer: unknown): StatusDetails {
  const checked = checkedStatus(answer)
  if (typeof checked === 'number') throw wrongAnswer('{ status } with details')
  const { dataset: _dataset, affectedSopInstanceUid: _uid, ...details } = checked
  return details
}

/** C-FIND. @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedMatches(answer: unknown): unknown {
  if (isIterable(answer)) return answer
  if (typeof answer === 'object' && answer !== null && !('status' in answer)) throw wrongAnswer('an iterable of matches, or a status')
  return checkedStatus(answer)
}

/** C-GET and C-MOVE. @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedInstances(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('instances' in answer)) return checkedStatus(answer)
  const { instances, total } = answer as { readonly instances: unknown; readonly total?: unknown }
  if (!isIterable(instances)) throw wrongAnswer('{ instances } with an iterable of them')
  const checkedTotal = optional('total, how many there will be', isCount, total)
  return { instances, ...(checkedTotal === undefined ? {} : { total: checkedTotal }) }
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedDestination(answer: unknown): unknown {
  const must = 'a destination: { host, port }'
  const { host, port } = fieldsOf(answer, must)
  if (!isText(host) || host === '' || !isInteger(port, LARGEST_US) || port === 0) throw wrongAnswer(must)
  return { ...(answer as object) }
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedIdentifier(answer: unknown): unknown {
  if (isDataSet(answer) && !(answer instanceof Uint8Array)) return answer
  throw wrongAnswer('a data set')
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedMatch(answer: unknown): unknown {
  const must = 'a match: { identifier, status? } with a Pending status'
  const { identifier, status } = fieldsOf(answer, must)
  const isPending = status === undefined || status === Status.Pending || status === QueryStatus.PendingOptionalKeysNotSupported
  if (!isDataSet(identifier) || !isPending) throw wrongAnswer(must)
  return status === undefined ? { identifier } : { identifier, status }
}

function optional<T>(must: string, isFit: (value: unknown) => value is T, value: unknown): T | undefined {
  if (value === undefined) return undefined
  if (isFit(value)) return value
  throw wrongAnswer(`with ${must}`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isInteger(value: unknown, largest: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= largest
}

function isErrorId(value: unknown): value is number {
  return isInteger(value, LARGEST_US)
}

function isCount(value: unknown): value is number {
  return isInteger(value, Number.MAX_SAFE_INTEGER)
}

function areTags(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((tag) => isInteger(tag, LARGEST_TAG))
}

function isDataSet(value: unknown): value is OutgoingDataSet {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
