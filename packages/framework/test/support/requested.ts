import { ApplicationEntity, SopClass } from '@dicomtap/framework'
import type { ApplicationEntityOptions, AssociateOptions, Association, HookName } from '@dicomtap/framework'
import { memorySocket, ScriptedPeer } from '@dicomtap/framework/testing'

/** An association that is being requested from a scripted peer, and what the hooks told about it. */
export interface Requested {
  readonly ae: ApplicationEntity
  readonly peer: ScriptedPeer
  /** Settles as `associate` does. */
  readonly association: Promise<Association>
  /** Notifications in the order in which they fired. */
  readonly happened: string[]
}

const TURNS = [
  'connectionOpened',
  'associationRequested',
  'associationAccepted',
  'associationEstablished',
  'associationRejected',
  'associationReleased',
  'associationAborted',
  'connectionClosed',
] as const satisfies readonly HookName[]

const opened: ApplicationEntity[] = []

/** For `test.after.always`: timers of a test that failed keep the process alive. */
export async function closeRequestors(): Promise<void> {
  await Promise.all(opened.splice(0).map((ae) => ae.close({ deadlineMs: 0 })))
}

/** Requests an association over a connection in memory. */
export function requested(options: Partial<AssociateOptions> = {}, aeOptions: ApplicationEntityOptions = {}): Requested {
  const [socket, far] = memorySocket()
  const peer = new ScriptedPeer(far)
  const ae = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent', ...aeOptions })
  opened.push(ae)
  const happened: string[] = []
  for (const name of TURNS) ae.bind(name, () => happened.push(name))
  ae.bind('outgoingConnection', () => {
    // As a network does: connected a turn later.
    setImmediate(() => socket.emit('connect'))
    return socket
  })
  const association = ae.associate({
    host: 'pacs',
    port: 104,
    calledAeTitle: 'PACS',
    contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: ['1.2.840.10008.1.2'] }],
    ...options,
  })
  association.catch(() => {})
  return { ae, peer, association, happened }
}

/** As {@link requested}, accepted by the peer. */
export async function established(options?: Partial<AssociateOptions>, aeOptions?: ApplicationEntityOptions): Promise<Omit<Requested, 'association'> & { readonly association: Association }> {
  const side = requested(options, aeOptions)
  await side.peer.acceptAssociation()
  return { ...side, association: await side.association }
}
