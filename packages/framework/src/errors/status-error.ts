import { DicomtapError } from './dicomtap-error.ts'

/** What a {@link StatusError} may carry besides its status. */
export interface StatusErrorOptions {
  /** (0000,0902) at most 64 characters; sent to the peer, so no paths, no patient data. */
  errorComment?: string
  /** (0000,0901) tags as numbers, e.g. `0x00100020`. */
  offendingElements?: readonly number[]
  /** (0000,0903) */
  errorId?: number
  /** (0000,1005) tags as numbers; N services: which attributes are missing or wrong. */
  attributeIdentifierList?: readonly number[]
  cause?: unknown
}

/**
 * Throw it in a handler to end the operation with a DIMSE status.
 *
 * @example
 * throw new StatusError(0xa700, { errorComment: 'Out of space' })
 */
export class StatusError extends DicomtapError {
  override readonly name: string = 'StatusError'
  readonly status: number
  readonly errorComment: string | undefined
  readonly offendingElements: readonly number[] | undefined
  readonly errorId: number | undefined
  readonly attributeIdentifierList: readonly number[] | undefined

  constructor(status: number, options: StatusErrorOptions = {}) {
    super('DICOMTAP_ERR_DIMSE_STATUS', options.errorComment ?? `Status 0x${status.toString(16).padStart(4, '0')}`, {
      cause: options.cause,
    })
    this.status = status
    this.errorComment = options.errorComment
    this.offendingElements = options.offendingElements
    this.errorId = options.errorId
    this.attributeIdentifierList = options.attributeIdentifierList
  }
}
