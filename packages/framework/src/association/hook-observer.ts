import type { DulAction, DulEvent, DulState } from '../dul/transition-table.ts'
import type { DulObserver, PDataSummary } from '../dul/user.ts'
import { notify } from '../hooks/run.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Pdu } from '../pdu/types.ts'
import type { Association } from './association.ts'

/** Carries what the upper layer does to the notification hooks; makes no event that nobody wants. */
export class HookObserver implements DulObserver {
  readonly #hooks: HookTable
  readonly #association: Association

  constructor(hooks: HookTable, association: Association) {
    this.#hooks = hooks
    this.#association = association
  }

  connectionOpened(): void {
    if (this.#hooks.connectionOpened.taps.length === 0) return
    const { remoteAddress, remotePort } = this.#association
    notify(this.#hooks.connectionOpened, { association: this.#association, remoteAddress, remotePort })
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

  pduReceived(pdu: Pdu | PDataSummary): void {
    if (this.#hooks.pduReceived.taps.length > 0) notify(this.#hooks.pduReceived, { association: this.#association, pdu })
  }

  pduSent(pdu: Pdu | PDataSummary): void {
    if (this.#hooks.pduSent.taps.length > 0) notify(this.#hooks.pduSent, { association: this.#association, pdu })
  }

  stateChanged(currentState: DulState, dulEvent: DulEvent, action: DulAction, nextState: DulState): void {
    if (this.#hooks.stateChanged.taps.length === 0) return
    notify(this.#hooks.stateChanged, { association: this.#association, currentState, dulEvent, action, nextState })
  }
}
