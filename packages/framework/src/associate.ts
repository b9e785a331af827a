import { Association } from './association/association.ts'
import type { AssociationEnvironment } from './association/association.ts'
import type { AssociateOptions } from './association/associate-options.ts'
import { associateRequest, outgoingOptions } from './association/requestor.ts'
import type { AssociationSettings } from './association/settings.ts'
import { parseAssociateOptions } from './config/associate-rule.ts'
import type { Operation } from './dimse/types.ts'
import { connectSocket } from './dul/connect.ts'
import type { TransportSocket } from './dul/transport.ts'
import { AssociationAbortedError, DicomtapError } from './errors/index.ts'
import { ask, transform } from './hooks/run.ts'
import type { HookTable, OutgoingAssociationOptions } from './hooks/types.ts'

/** What an ApplicationEntity gives the associations that it requests. */
export interface RequestorEnvironment {
  readonly hooks: HookTable
  readonly defaults: Pick<OutgoingAssociationOptions, 'callingAeTitle' | 'contexts'>
  ready(): Promise<void>
  settingsFor(options: AssociateOptions): AssociationSettings
  environmentFor(settings: AssociationSettings): AssociationEnvironment
  /** @throws when the application entity is closed. */
  refuseWhenClosed(): void
}

/** The steps of `ApplicationEntity.associate`. */
export async function requestAssociation(
  environment: RequestorEnvironment,
  options: AssociateOptions,
  operation: Operation | undefined,
): Promise<Association> {
  const { hooks } = environment
  environment.refuseWhenClosed()
  const checked = parseAssociateOptions(options)
  const { handlers, signal } = checked
  await unlessGivenUp(signal, () => environment.ready())
  const proposal = outgoingOptions(checked, environment.defaults)
  const outgoing = await unlessGivenUp(signal, () => transform(hooks.outgoingAssociation, proposal, operation))
  const settings = environment.settingsFor(checked)
  const request = associateRequest(outgoing, settings)
  const answer = await unlessGivenUp(signal, () => ask(hooks.outgoingConnection, outgoing, operation), letGo)
  const socket = checkedSocket(answer, outgoing)
  try {
    // Handlers take their time: it may have become void.
    refuseWhenGivenUp(signal)
    environment.refuseWhenClosed()
  } catch (error) {
    socket?.destroy()
    throw error
  }
  const { host, port } = outgoing
  let isConnecting = false
  const connect = (): TransportSocket => {
    isConnecting = true
    return socket ?? connectSocket(outgoing)
  }
  const association = new Association(environment.environmentFor(settings), { request, connect, host, port }, handlers)
  // A handler ended it before it had a connection.
  if (!isConnecting) socket?.destroy()
  const giveUp = (): void => {
    association.abort('The signal of associate() was aborted')
  }
  signal?.addEventListener('abort', giveUp, { once: true })
  void association.closed.then(() => {
    signal?.removeEventListener('abort', giveUp)
  })
  try {
    await association.opened()
  } catch (error) {
    if (signal?.aborted === true) throw givenUp(signal)
    throw error
  }
  return association
}

function refuseWhenGivenUp(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw givenUp(signal)
}

/** Waits no longer than the caller does. @param late what to do with a result that nobody waits for any more */
async function unlessGivenUp<T>(signal: AbortSignal | undefined, work: () => Promise<T>, late?: (result: T) => void): Promise<T> {
  if (signal === undefined) return work()
  refuseWhenGivenUp(signal)
  let isOver = false
  let stop = (): void => {}
  const end = new Promise<never>((_, reject) => {
    stop = () => {
      isOver = true
      reject(givenUp(signal))
    }
  })
  signal.addEventListener('abort', stop, { once: true })
  const done = work().then((result) => {
    if (isOver) late?.(result)
    return result
  })
  try {
    return await Promise.race([done, end])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** A connection that came too late. */
function letGo(socket: TransportSocket | undefined): void {
  if (typeof (socket as Partial<TransportSocket> | undefined)?.destroy === 'function') socket?.on('error', () => {}).destroy()
}

function givenUp(signal: AbortSignal): AssociationAbortedError {
  return new AssociationAbortedError({ source: 0, reason: 0, by: 'local' }, 'The association was given up: its signal was aborted', {
    cause: signal.reason,
  })
}

function checkedSocket(answer: TransportSocket | undefined, { tls }: OutgoingAssociationOptions): TransportSocket | undefined {
  if (answer === undefined) {
    if (tls === undefined || tls === false) return undefined
    throw new DicomtapError(
      'DICOMTAP_ERR_TLS_UNAVAILABLE',
      'tls: a secure connection was asked for, and no plugin provides one; plain TCP is not used instead',
    )
  }
  const { on, write, destroy } = answer as Partial<Record<'on' | 'write' | 'destroy', unknown>>
  if ([on, write, destroy].every((method) => typeof method === 'function')) return answer
  throw new DicomtapError('DICOMTAP_ERR_HOOK_ANSWER', 'A handler of outgoingConnection must answer a socket')
}
