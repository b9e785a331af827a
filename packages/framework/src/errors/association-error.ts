import { DicomtapError } from './dicomtap-error.ts'

/**
 * The peer rejected the association that this side requested (PS3.8 9.3.4).
 *
 * @example
 * if (error instanceof AssociationRejectedError && error.result === 2) retryLater()
 */
export class AssociationRejectedError extends DicomtapError {
  override readonly name: string = 'AssociationRejectedError'
  /** 1 permanent, 2 transient. */
  readonly result: number
  /** 1 service-user, 2 service-provider (ACSE), 3 service-provider (presentation). */
  readonly source: number
  /** Meaning depends on `source`. */
  readonly reason: number

  constructor(rejection: { readonly result: number; readonly source: number; readonly reason: number }, message: string) {
    super('DICOMTAP_ERR_ACSE_REJECTED', message)
    this.result = rejection.result
    this.source = rejection.source
    this.reason = rejection.reason
  }
}

/** The association was aborted, or its connection lost (PS3.8 9.3.8). */
export class AssociationAbortedError extends DicomtapError {
  override readonly name: string = 'AssociationAbortedError'
  /** 0 service-user, 2 service-provider; undefined when the connection was lost without an A-ABORT. */
  readonly source: number | undefined
  /** PS3.8 table 9-26. */
  readonly reason: number
  /** Who ended it. */
  readonly by: 'peer' | 'local' | 'network'

  constructor(
    abort: { readonly source: number | undefined; readonly reason: number; readonly by: 'peer' | 'local' | 'network' },
    message: string,
    options?: { cause?: unknown },
  ) {
    super('DICOMTAP_ERR_ACSE_ABORTED', message, options)
    this.source = abort.source
    this.reason = abort.reason
    this.by = abort.by
  }
}
