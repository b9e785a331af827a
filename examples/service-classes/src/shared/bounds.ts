/** What peers send is kept within bounds, in number and in size: one of them could send without end. */
import { Status, StatusError, decodeDataSet } from '@dicomtap/framework'
import type { DataSet, IncomingDataSet } from '@dicomtap/framework'

/** Many times what any of the tables of PS3.4 asks for. */
const MAXIMUM_BYTES = 1_048_576

/**
 * The attributes of a request, if it has any.
 * @throws DICOMTAP_ERR_DS_TOO_LARGE, for deflated ones too when they are inflated
 */
export async function attributesOf(list: IncomingDataSet | undefined, maximumBytes: number = MAXIMUM_BYTES): Promise<DataSet> {
  if (list === undefined) return {}
  return decodeDataSet(await list.buffer(maximumBytes), list.transferSyntaxUid, { maximumInflatedBytes: maximumBytes })
}

/** @throws StatusError 0213 when there is no room for one more */
export function requireRoom(size: number, maximum: number): void {
  if (size >= maximum) throw new StatusError(Status.ResourceLimitation, { errorComment: 'Too many' })
}

/** Forgets the oldest ones. */
export function keepLatest(collection: Set<unknown> | Map<unknown, unknown>, maximum: number): void {
  for (const key of collection.keys()) {
    if (collection.size <= maximum) return
    collection.delete(key)
  }
}
