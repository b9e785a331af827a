import { APPLICATION_CONTEXT_NAME } from '../pdu/types.ts'
import type { AAssociateRq } from '../pdu/types.ts'
import type { UserItem } from '../pdu/user-items/types.ts'
import type { RoleSelection } from '../acse/types.ts'

/** An abstract syntax and the transfer syntaxes proposed for it. */
export type ContextProposal = readonly [abstractSyntax: string, ...transferSyntaxes: string[]]

const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2'

export interface AssociateRequestOptions {
  /**
   * Presentation contexts, numbered 1, 3, 5 ... in this order; Implicit VR Little Endian when no transfer
   * syntax is named. Default: Verification.
   */
  readonly contexts?: readonly ContextProposal[]
  /** Default `ANY-SCP`. */
  readonly calledAeTitle?: string
  /** Default `TEST-SCU`. */
  readonly callingAeTitle?: string
  /** Maximum Length Received (item 0x51): the largest P-DATA-TF this side takes; 0 unlimited. Default 16 384. */
  readonly maximumLength?: number
  readonly roles?: readonly RoleSelection[]
  /** Further user information items. */
  readonly userInformation?: readonly UserItem[]
  /** Default 1. */
  readonly protocolVersion?: number
  /** Default: the one of DICOM. */
  readonly applicationContextName?: string
}

/** The A-ASSOCIATE-RQ of a test, with everything that is left out filled in. */
export function associateRequest(options: AssociateRequestOptions = {}): AAssociateRq {
  const contexts = options.contexts ?? [['1.2.840.10008.1.1']]
  return {
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: options.protocolVersion ?? 1,
    calledAeTitle: options.calledAeTitle ?? 'ANY-SCP',
    callingAeTitle: options.callingAeTitle ?? 'TEST-SCU',
    applicationContextName: options.applicationContextName ?? APPLICATION_CONTEXT_NAME,
    presentationContexts: contexts.map(([abstractSyntax, ...transferSyntaxes], index) => ({
      id: 2 * index + 1,
      abstractSyntax,
      transferSyntaxes: transferSyntaxes.length === 0 ? [IMPLICIT_VR_LITTLE_ENDIAN] : transferSyntaxes,
    })),
    userInformation: [
      { type: 0x51, maximumLengthReceived: options.maximumLength ?? 16_384 },
      { type: 0x52, implementationClassUid: '2.25.1' },
      ...(options.roles ?? []).map((role) => ({ type: 0x54 as const, ...role })),
      ...(options.userInformation ?? []),
    ],
  }
}
