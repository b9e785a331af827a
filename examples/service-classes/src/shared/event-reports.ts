/** N-EVENT-REPORTs to the SCUs of a service class, on an association that is there or on a new one. */
import { statusCategory } from '@dicomtap/framework'
import type { Association, NEventReportOptions, Operation, PluginApi } from '@dicomtap/framework'
import { z } from 'zod'

export const address = z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) })
export type Address = z.infer<typeof address>

export interface Recipient {
  /** The SCU's title. */
  readonly aeTitle: string
  /** Used while it is open. */
  readonly association?: Association
  /** The title that the SCU knows this SCP by; default that of the AE. */
  readonly scpAeTitle?: string
}

/** Events that wait for one SCU. */
const MAXIMUM_WAITING = 1_000

export class EventReporter {
  readonly #api: PluginApi
  readonly #contextUid: string
  readonly #addresses: Readonly<Record<string, Address>>
  readonly #queues = new Map<string, Promise<void>>()
  readonly #waiting = new Map<string, number>()

  /**
   * @param contextUid the SOP class that is negotiated for the events
   * @param addresses where SCUs listen, by AE title
   */
  constructor(api: PluginApi, contextUid: string, addresses: Readonly<Record<string, Address>> = {}) {
    this.#api = api
    this.#contextUid = contextUid
    this.#addresses = addresses
    // What was promised is said before the server goes.
    api.hooks.preClose.tapPromise(async () => {
      await Promise.all(this.#queues.values())
    })
  }

  /** Can events be sent to this AE when it has no association open? */
  knows(aeTitle: string): boolean {
    return Object.hasOwn(this.#addresses, aeTitle)
  }

  /** One after another to each SCU, so that nobody hears of the end before the beginning. Nobody waits for it. */
  send(recipient: Recipient, report: NEventReportOptions): void {
    const { aeTitle } = recipient
    const waiting = this.#waiting.get(aeTitle) ?? 0
    if (waiting >= MAXIMUM_WAITING) {
      this.#api.log.warn('an event was not reported: too many wait', { aeTitle, eventTypeId: report.eventTypeId })
      return
    }
    this.#waiting.set(aeTitle, waiting + 1)
    const sent = (this.#queues.get(aeTitle) ?? Promise.resolve())
      .then(() => this.#deliver(recipient, report))
      .catch((error: unknown) => {
        this.#api.log.warn('an event was not reported', { aeTitle, eventTypeId: report.eventTypeId, error })
      })
      .finally(() => {
        this.#waiting.set(aeTitle, (this.#waiting.get(aeTitle) ?? 1) - 1)
        if (this.#queues.get(aeTitle) !== sent) return
        this.#queues.delete(aeTitle)
        this.#waiting.delete(aeTitle)
      })
    this.#queues.set(aeTitle, sent)
  }

  async #deliver({ aeTitle, association, scpAeTitle }: Recipient, report: NEventReportOptions): Promise<void> {
    if (association !== undefined && (await this.#deliverOn(association, report))) return
    const listener = this.#addresses[aeTitle]
    if (listener === undefined) {
      this.#api.log.warn('an event was not reported: no address is configured', { aeTitle, eventTypeId: report.eventTypeId })
      return
    }
    await using fresh = await this.#api.applicationEntity.associate({
      ...listener,
      calledAeTitle: aeTitle,
      ...(scpAeTitle === undefined ? {} : { callingAeTitle: scpAeTitle }),
      // Events come from the SCP: this side asks for that role on the association that it requests (PS3.7 D.3.3.4).
      contexts: [{ abstractSyntax: this.#contextUid, roles: { scu: false, scp: true } }],
      signal: this.#api.signal,
    })
    await this.#report(fresh, report)
  }

  /** @returns whether it was sent and answered; the SCU may leave at any time. */
  async #deliverOn(association: Association, report: NEventReportOptions): Promise<boolean> {
    if (!association.acceptedContexts.some(({ abstractSyntax, asScp }) => abstractSyntax === this.#contextUid && asScp)) return false
    try {
      await this.#report(association, report)
      return true
    } catch (error) {
      if (association.isEstablished) throw error
      return false
    }
  }

  async #report(association: Association, report: NEventReportOptions): Promise<void> {
    const { status, label } = await association.nEventReport({ metaSopClassUid: this.#contextUid, ...report })
    if (statusCategory(status) !== 'success') this.#api.log.warn('an event was not taken', { eventTypeId: report.eventTypeId, status, label })
  }
}

/** What is to be done once the response of an operation is on its way: an event must not overtake it. */
export function afterResponses(api: PluginApi): (operation: Operation, work: () => void) => void {
  const works = new WeakMap<Operation, () => void>()
  api.hooks.operationCompleted.tap(({ operation }) => works.get(operation)?.())
  return (operation, work) => {
    works.set(operation, work)
  }
}
