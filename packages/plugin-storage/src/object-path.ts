import type { CStoreRequest } from '@dicomtap/framework'
import type { StoragePeer } from './hooks.ts'
import { type ObjectHead, Tag } from './object-head.ts'
import { PATH_FIELD_NAMES, pathField, type PathFieldName } from './path-fields.ts'

const IDENTITY_TAGS: readonly number[] = Object.values(Tag)

/** Tags to look for in a data set, so that these fields and what it is are known. */
export function tagsOf(fields: readonly PathFieldName[] = PATH_FIELD_NAMES): readonly number[] {
  const tags = fields.flatMap((name) => pathField(name).tag ?? [])
  return [...new Set([...IDENTITY_TAGS, ...tags])]
}

/**
 * The value of a field for one object. What the request says of the instance goes before what its data
 * set says, so that the path agrees with the file meta information.
 */
export function fieldValue(name: PathFieldName, request: CStoreRequest, head: ObjectHead, peer: StoragePeer): string | undefined {
  if (name === 'SOPClassUID') return request.affectedSopClassUid
  if (name === 'SOPInstanceUID') return request.affectedSopInstanceUid
  if (name === 'CallingAETitle') return peer.callingAeTitle
  if (name === 'CalledAETitle') return peer.calledAeTitle
  const { tag, kind } = pathField(name)
  if (tag === undefined) return undefined
  return kind === 'uid' ? head.rawUid(tag) : head.text(tag)
}
