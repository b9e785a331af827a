import type { DulAction, DulEvent, DulState } from '../dul/transition-table.ts'
import type { Rejection } from '../acse/types.ts'
import type { AbortIndication, DulObserver, PDataSummary } from '../dul/user.ts'
import { notify } from '../hooks/run.ts'
import type { AcsePrimitive, HookTable } from '../hooks/types.ts'
import type { Pdu } from '../pdu/types.ts'
import type { Association } from './association.ts'

/** Carries what an association and its upper layer do to the notification hooks; makes no event that nobody wants. */
export class HookObserver implements DulObserver {
  readonly #hooks: HookTable
  readonly #association: Association
  readonly #connected: () => void
  #isConnected = false

  constructor(hooks: HookTable, association: Association, connected: () => void) {
    this.#hooks = hooks
    this.#association = association
    this.#connected = connected
  }

  connectionOpened(): void {
    this.#isConnected = true
    this.#connected()
    if (this.#hooks.connectionOpened.taps.length === 0) return
    const { remoteAddress, remotePort } = this.#association
    notify(this.#hooks.connectionOpened, { association: this.#association, remoteAddress, remotePort })
  }

  connectionClosed(): void {
    if (!this.#isConnected || this.#hooks.connectionClosed.taps.length === 0) return
    const { remoteAddress, remotePort } = this.#association
    notify(this.#hooks.connectionClosed, { association: this.#association, remoteAddress, remotePort })
  }

  /** A turn in the association's life that says everything by its name. */
  happened(name: 'associationRequested' | 'associationAccepted' | 'associationEstablished' | 'associationReleased'): void {
    if (this.#hooks[name].taps.length > 0) notify(this.#hooks[name], { association: this.#association })
  }

  rejected({ result, source, reason }: Rejection, why: string): void {
    if (this.#hooks.associationRejected.taps.length === 0) return
    notify(this.#hooks.associationRejected, { association: this.#association, result, source, reason, why })
  }

  aborted(abort: AbortIndication): void {
    const { by, source, reason, message } = abort
    if (by === 'local') this.acseSent({ type: 'A-ABORT', source: source ?? 0, reason })
    else this.acseReceived(source === 0 ? { type: 'A-ABORT', source, reason } : { type: 'A-P-ABORT', reason })
    if (this.#hooks.associationAborted.taps.length === 0) return
    notify(this.#hooks.associationAborted, { association: this.#association, source, reason, by, message })
  }

  acseReceived(primitive: AcsePrimitive): void {
    if (this.#hooks.acseReceived.taps.length > 0) notify(this.#hooks.acseReceived, { association: this.#association, primitive })
  }

  acseSent(primitive: AcsePrimitive): void {
    if (this.#hooks.acseSent.taps.length > 0) notify(this.#hooks.acseSent, { association: this.#association, primitive })
  }

  dataReceived(data: Uint8Array): void {
    if (this.#hooks.dataReceived.taps.length > 0) notify(this.#hooks.dataReceived, { association: this.#association, data })
  }

  dataSent(data: Uint8Array): void {
    if (this.#hooks.dataSent.taps.length > 0) notify(this.#hooks.dataSent, { association: this.#association, data })
  }

  get wantsPData(): boolean {
    return this.#hooks.pduReceived.taps.length > 0 || this.#hooks.pduSent.taps.length > 0
  }

  get watchesPDataSent(): boolean {
    return this.wantsPData || this.#hooks.dataSent.taps.length > 0 || this.#hooks.stateChanged.taps.length > 0
  }

  pduReceived(pdu: Pdu | PDataSummary): void {
    if (this.#hooks.pduReceived.taps.length > 0) notify(this.#hooks.pduReceived, { association: this.#association, pdu })
  }

  pduSent(pdu: Pdu | PDataSummary): void {
    if (this.#hooks.pduSent.taps.length > 0) notify(this.#hooks.pduSent, { association: this.#association, pdu })
    // Any of the handlers that are told may end it.
    if (pdu.type !== 'A-ASSOCIATE-RQ' || this.#association.isAborted) return
    this.acseSent(pdu)
    if (!this.#association.isAborted) this.happened('associationRequested')
  }

  stateChanged(currentState: DulState, dulEvent: DulEvent, action: DulAction, nextState: DulState): void {
    if (this.#hooks.stateChanged.taps.length === 0) return
    notify(this.#hooks.stateChanged, { association: this.#association, currentState, dulEvent, action, nextState })
  }
}
