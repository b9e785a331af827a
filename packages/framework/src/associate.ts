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
  await environment.ready()
  const outgoing = await transform(hooks.outgoingAssociation, outgoingOptions(checked, environment.defaults), operation)
  const settings = environment.settingsFor(checked)
  const request = associateRequest(outgoing, settings)
  refuseWhenGivenUp(signal)
  const socket = checkedSocket(await ask(hooks.outgoingConnection, outgoing, operation), outgoing)
  try {
    // Handlers take their time: it may have become void.
    refuseWhenGivenUp(signal)
    environment.refuseWhenClosed()
  } catch (error) {
    socket?.destroy()
    throw error
  }
  const { host, port } = outgoing
  const connection = socket ?? opened(outgoing)
  const origin = { request, connect: () => connection, host, port }
  const association = new Association(environment.environmentFor(settings), origin, handlers)
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

function givenUp(signal: AbortSignal): AssociationAbortedError {
  return new AssociationAbortedError({ source: 0, reason: 0, by: 'local' }, 'The association was given up: its signal was aborted', {
    cause: signal.reason,
  })
}

/** Node throws at once when a local address is none. */
function opened(outgoing: OutgoingAssociationOptions): TransportSocket {
  try {
    return connectSocket(outgoing)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DicomtapError('DICOMTAP_ERR_NET_CONNECT', `Cannot connect to ${outgoing.host}:${outgoing.port}: ${why}`, { cause: error })
  }
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
