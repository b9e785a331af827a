import { APPLICATION_CONTEXT_NAME } from '../pdu/types.ts'
import type { AAssociateRq } from '../pdu/types.ts'
import { maximumLengthOf } from './user-information.ts'
import { REJECTIONS } from './rejections.ts'
import type { Rejection } from './types.ts'

export interface AdmissionPolicy {
  readonly aeTitle: string
  readonly requireCalledAeTitle: boolean
  /** Empty: anyone. */
  readonly requireCallingAeTitles: readonly string[]
  readonly isClosing: boolean
  readonly isOverAssociationLimit: boolean
}

/** The smallest P-DATA-TF that can carry a PDV with a byte in it: 4 length, 1 context, 1 header, 1 data. */
export const SMALLEST_PDU_BYTES = 7

export const OVER_ASSOCIATION_LIMIT = 'limits.maximumAssociations is reached'

/**
 * The checks an A-ASSOCIATE-RQ must pass before anybody is asked (PS3.8 9.3.4). The first one that fails
 * ends the check, so that nothing is told beyond it and no handler runs for a peer that is refused.
 */
export function admissionRejection(request: AAssociateRq, policy: AdmissionPolicy): { rejection: Rejection; why: string } | undefined {
  if (policy.isClosing) return { rejection: REJECTIONS.congestion, why: 'the server is closing' }
  if (request.applicationContextName !== APPLICATION_CONTEXT_NAME) {
    return { rejection: REJECTIONS.applicationContextName, why: 'the application context name is not the one of DICOM' }
  }
  if (policy.requireCalledAeTitle && request.calledAeTitle !== policy.aeTitle) {
    return { rejection: REJECTIONS.calledAeTitle, why: `the called AE title is not ${policy.aeTitle}` }
  }
  if (policy.requireCallingAeTitles.length > 0 && !policy.requireCallingAeTitles.includes(request.callingAeTitle)) {
    return { rejection: REJECTIONS.callingAeTitle, why: 'the calling AE title is not in requireCallingAeTitles' }
  }
  const maximumLength = maximumLengthOf(request.userInformation)
  if (maximumLength !== 0 && maximumLength < SMALLEST_PDU_BYTES) {
    return { rejection: REJECTIONS.peerMaximumLength, why: `the peer takes PDUs of at most ${maximumLength} bytes: none fits` }
  }
  if (policy.isOverAssociationLimit) return { rejection: REJECTIONS.localLimit, why: OVER_ASSOCIATION_LIMIT }
  return undefined
}
