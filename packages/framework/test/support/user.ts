import type { AssociateOptions, Association, RequestedContext } from '@dicomtap/framework'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { ReceivedMessage, ScriptedPeer } from '../../dist/testing/index.js'
import { requested } from './requested.ts'
import { IMPLICIT_LE } from './uids.ts'

/** Command Data Set Type (0000,0800): no data set, and what dicomtap sends when there is one. */
export const NONE = 0x0101
export const SOME = 0x0001

/** An association of this side with a scripted peer, which accepts every context and role. */
export interface Scripted {
  readonly association: Association
  readonly peer: ScriptedPeer
  /** Answers a request with the command field of its response, unless told otherwise. */
  answer(request: ReceivedMessage, command: Partial<CommandSet>, dataSet?: Uint8Array): Promise<void>
}

/** @param window operations that may be outstanding; default: none negotiated, one */
export async function scripted(
  contexts: readonly (Omit<RequestedContext, 'transferSyntaxes'> & Partial<RequestedContext>)[],
  window?: number,
  options: Partial<AssociateOptions> = {},
): Promise<Scripted> {
  const side = requested({
    contexts: contexts.map((context) => ({ transferSyntaxes: [IMPLICIT_LE], ...context })),
    ...(window === undefined ? {} : { asynchronousOperations: { invoked: window, performed: window } }),
    timeouts: { dimseMs: 20_000 },
    ...options,
  })
  const roles = new Map(contexts.flatMap(({ abstractSyntax, roles }) => (roles === undefined ? [] : [[abstractSyntax, roles] as const])))
  await side.peer.acceptAssociation({
    userInformation: [
      { type: 0x51, maximumLengthReceived: 16_384 },
      { type: 0x52, implementationClassUid: '2.25.2' },
      ...(window === undefined ? [] : [{ type: 0x53, maximumNumberOperationsInvoked: window, maximumNumberOperationsPerformed: window } as const]),
      ...[...roles].map(([sopClassUid, { scu, scp }]) => ({ type: 0x54, sopClassUid, scuRole: scu, scpRole: scp }) as const),
    ],
  })
  const { peer } = side
  return {
    association: await side.association,
    peer,
    answer: (request, command, dataSet) =>
      peer.sendMessage(
        request.presentationContextId,
        {
          commandField: request.command.commandField | 0x8000,
          messageIdBeingRespondedTo: request.command.messageId,
          commandDataSetType: dataSet === undefined ? NONE : SOME,
          ...command,
        },
        dataSet,
      ),
  }
}

/** All that an iterable yields. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of iterable) all.push(item)
  return all
}
