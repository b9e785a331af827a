import type { AAssociateRj } from '../pdu/types.ts'
import type { AbortIndication } from '../dul/user.ts'
import { describeAbort, describeRejection } from '../acse/rejections.ts'
import { AssociationAbortedError, AssociationRejectedError, DicomtapError } from '../errors/index.ts'

/** Whom an association is requested from, for messages. */
export interface OpeningTarget {
  readonly host: string
  readonly port: number
  readonly calledAeTitle: string
}

/** The wait of `associate`: ends once, with the association established or with why it is not. */
export class Opening {
  readonly target: OpeningTarget
  /** Rejects with the errors that `ApplicationEntity.associate` names. */
  readonly done: Promise<void>
  #resolve!: () => void
  #reject!: (error: Error) => void
  isConnected = false

  constructor(target: OpeningTarget) {
    this.target = target
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever opened it waits for it; until then nobody does.
    this.done.catch(() => {})
  }

  succeeded(): void {
    this.#resolve()
  }

  failed(error: Error): void {
    this.#reject(error)
  }

  rejected(rejection: AAssociateRj): void {
    this.failed(new AssociationRejectedError(rejection, `${this.#who} rejected the association: ${describeRejection(rejection)}`))
  }

  aborted(abort: AbortIndication): void {
    const { cause, by, source, reason } = abort
    const why = abort.message ?? describeAbort(source, reason)
    if (by === 'network' && !this.isConnected) {
      this.failed(new DicomtapError('DICOMTAP_ERR_NET_CONNECT', `Cannot connect to ${this.#where}: ${why}`, { cause }))
    } else if (abort.isTimeout === true) {
      this.failed(new DicomtapError('DICOMTAP_ERR_ACSE_TIMEOUT', `${this.#who} did not answer the association request in time`))
    } else {
      const whoAborted = by === 'peer' ? `${this.#who} aborted the association` : `No association with ${this.#who}`
      this.failed(new AssociationAbortedError(abort, `${whoAborted}: ${why}`, { cause }))
    }
  }

  /** What is left when nothing else was told. */
  closed(): void {
    this.failed(new DicomtapError('DICOMTAP_ERR_NET_CLOSED', `The connection to ${this.#where} was closed`))
  }

  get #where(): string {
    const { host, port } = this.target
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }

  get #who(): string {
    return `${this.target.calledAeTitle} at ${this.#where}`
  }
}
