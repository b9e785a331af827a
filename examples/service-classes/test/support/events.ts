import type { DataSet, HookHandler } from '@dicomtap/framework'

export interface ReceivedEvent {
  readonly sopInstanceUid: string
  readonly eventTypeId: number
  readonly information: DataSet | undefined
  /** Of the association it came on: who requested that, and the context. */
  readonly callingAeTitle: string
  readonly abstractSyntax: string
}

/** A handler that takes events with success, and what it got. */
export function eventCollector(): { nEventReport: HookHandler<'nEventReport'>; take(count: number): Promise<ReceivedEvent[]>; readonly waiting: number } {
  const received: ReceivedEvent[] = []
  let arrived: (() => void) | undefined
  return {
    async nEventReport({ eventTypeId, affectedSopInstanceUid: sopInstanceUid, eventInformation }, { association, context }) {
      const information = await eventInformation?.dataset()
      received.push({ sopInstanceUid, eventTypeId, information, callingAeTitle: association.callingAeTitle, abstractSyntax: context.abstractSyntax })
      arrived?.()
      return 0x0000
    },
    /** The next events, as soon as there are as many. */
    async take(count) {
      while (received.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      }
      return received.splice(0, count)
    },
    get waiting() {
      return received.length
    },
  }
}
