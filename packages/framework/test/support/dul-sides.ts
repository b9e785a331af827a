import { DulServiceProvider } from '../../dist/dul/provider.js'
import type { DulIndication } from '../../dist/dul/indication-queue.js'
import type { DulOptions } from '../../dist/dul/options.js'
import type { DulObserver } from '../../dist/dul/user.js'
import type { AAssociateAc } from '../../dist/pdu/types.js'
import { associateRequest, memorySocket, ScriptedPeer } from '../../dist/testing/index.js'
import type { MemorySocket, MemorySocketOptions } from '../../dist/testing/index.js'

/** A provider on one end of a connection, and what a test holds of it. */
export interface DulSide {
  readonly dul: DulServiceProvider
  /** The other end of the connection. */
  readonly peer: ScriptedPeer
  /** The provider's end. */
  readonly socket: MemorySocket
  /** Transitions as `Sta2 Evt6 AE-6 Sta3`. */
  readonly transitions: string[]
}

export interface SideOptions extends Omit<DulOptions, 'socket' | 'connect' | 'observer'> {
  readonly observer?: Partial<DulObserver>
  readonly socketOptions?: MemorySocketOptions
}

export const REQUEST = associateRequest()
export const ACCEPT: AAssociateAc = {
  type: 'A-ASSOCIATE-AC',
  protocolVersion: 1,
  calledAeTitle: 'ANY-SCP',
  callingAeTitle: 'TEST-SCU',
  applicationContextName: '1.2.840.10008.3.1.1.1',
  presentationContexts: [{ id: 1, result: 0, transferSyntax: '1.2.840.10008.1.2' }],
  userInformation: [
    { type: 0x51, maximumLengthReceived: 16_384 },
    { type: 0x52, implementationClassUid: '2.25.2' },
  ],
}

/** No timer runs unless the test sets one. */
const NO_TIMEOUTS = { acseTimeoutMs: null, networkTimeoutMs: null, connectionTimeoutMs: null }

function observing(transitions: string[], observer: Partial<DulObserver> = {}): DulObserver {
  return {
    wantsPData: false,
    connectionOpened: () => {},
    dataReceived: () => {},
    dataSent: () => {},
    pduReceived: () => {},
    pduSent: () => {},
    ...observer,
    stateChanged: (...change) => {
      transitions.push(`${change[0]} ${change[1]} ${change[2]} ${change[3]}`)
      observer.stateChanged?.(...change)
    },
  }
}

const opened: DulServiceProvider[] = []

/** For `test.after.always`: a test that failed half-way leaves timers behind that keep the process alive. */
export async function killSides(): Promise<void> {
  await Promise.all(opened.splice(0).map((dul) => dul.kill()))
}

/** A provider that accepted a connection: Sta2. */
export function acceptor({ observer, socketOptions, ...options }: SideOptions = {}): DulSide {
  const [client, socket] = memorySocket(socketOptions)
  const transitions: string[] = []
  const dul = new DulServiceProvider({ ...NO_TIMEOUTS, ...options, socket, observer: observing(transitions, observer) })
  opened.push(dul)
  return { dul, peer: new ScriptedPeer(client), socket, transitions }
}

/** A provider that asked for a connection, which opens when told so: Sta4. */
export function requestor({ observer, socketOptions, ...options }: SideOptions = {}): DulSide {
  const [socket, server] = memorySocket(socketOptions)
  const transitions: string[] = []
  const dul = new DulServiceProvider({
    ...NO_TIMEOUTS,
    ...options,
    connect: () => socket,
    observer: observing(transitions, observer),
  })
  opened.push(dul)
  dul.issue(REQUEST)
  return { dul, peer: new ScriptedPeer(server), socket, transitions }
}

/** Brings an acceptor into one of the states it can be in. */
export async function acceptorIn(state: string, options?: SideOptions): Promise<DulSide> {
  const side = acceptor(options)
  const { dul, peer } = side
  if (state === 'Sta2') return side
  await peer.sendPdu(REQUEST)
  await receive(side, 'A-ASSOCIATE-RQ')
  if (state === 'Sta3') return side
  if (state === 'Sta13') {
    dul.issue({ type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 })
    await peer.receivePdu()
    return side
  }
  dul.issue(ACCEPT)
  await peer.receivePdu()
  if (state === 'Sta6') return side
  if (state === 'Sta8') {
    await peer.sendPdu({ type: 'A-RELEASE-RQ' })
    await receive(side, 'A-RELEASE')
    return side
  }
  dul.issue({ type: 'A-RELEASE-RQ' })
  await peer.receivePdu()
  if (state === 'Sta7') return side
  await peer.sendPdu({ type: 'A-RELEASE-RQ' })
  await receive(side, 'A-RELEASE')
  if (state === 'Sta10') return side
  await peer.sendPdu({ type: 'A-RELEASE-RP' })
  await receive(side, 'A-RELEASE-CONFIRMATION')
  if (state !== 'Sta12') throw new Error(`An acceptor is never in ${state}`)
  return side
}

/** Brings a requestor into one of the states it can be in. */
export async function requestorIn(state: string, options?: SideOptions): Promise<DulSide> {
  const side = requestor(options)
  const { dul, peer, socket } = side
  if (state === 'Sta4') return side
  socket.emit('connect')
  await peer.receivePdu()
  if (state === 'Sta5') return side
  if (state === 'Sta13') {
    dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
    await peer.receivePdu()
    return side
  }
  await peer.sendPdu(ACCEPT)
  await receive(side, 'A-ASSOCIATE-AC')
  if (state === 'Sta6') return side
  if (state === 'Sta8') {
    await peer.sendPdu({ type: 'A-RELEASE-RQ' })
    await receive(side, 'A-RELEASE')
    return side
  }
  dul.issue({ type: 'A-RELEASE-RQ' })
  await peer.receivePdu()
  if (state === 'Sta7') return side
  await peer.sendPdu({ type: 'A-RELEASE-RQ' })
  await receive(side, 'A-RELEASE')
  if (state === 'Sta9') return side
  dul.issue({ type: 'A-RELEASE-RP' })
  await peer.receivePdu()
  if (state !== 'Sta11') throw new Error(`A requestor is never in ${state}`)
  return side
}

/** The next indication, which must be of the type. */
export async function receive<Type extends DulIndication['type']>(
  { dul }: DulSide,
  type: Type,
): Promise<Extract<DulIndication, { type: Type }>> {
  const indication = await dul.receive(2_000)
  if (indication.type !== type) throw new Error(`${type} was expected, ${JSON.stringify(indication)} arrived`)
  return indication as Extract<DulIndication, { type: Type }>
}
