import { createHash } from 'node:crypto'
import type { FrameRequest } from './frame-request.ts'
import type { SelectedFrames } from './select-frames.ts'

const NAMESPACE = Buffer.from('1d0f6f0c7f6f4d0b9a3c5e7f2a64b8d1', 'hex')

/**
 * The SOP Instance UID of frames of an instance: the same whenever the same is asked of the same instance, so that who
 * asks twice has one instance. A UUID made of a name (RFC 9562 5.5), as PS3.5 B.2 makes a UID of it.
 */
export function extractedUid({ sopInstanceUid, list }: FrameRequest, { frames, numbers }: SelectedFrames): string {
  const hash = createHash('sha1').update(NAMESPACE).update(`${sopInstanceUid}\n${list}\n${numbers.join(',')}\n${frames.join(',')}`).digest()
  const uuid = hash.subarray(0, 16)
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x50
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80
  return `2.25.${BigInt(`0x${uuid.toString('hex')}`)}`
}
