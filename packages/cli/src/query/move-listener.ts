import { BlockList, isIPv6 } from 'node:net'
import { ALL_TRANSFER_SYNTAXES, ApplicationEntity, SOP_CLASSES, SopClass } from '@dicomtap/framework'
import type { Receiver } from './receive.ts'
import type { ReceiveAddress } from './register.ts'
import { printable } from './text-width.ts'

/** A server may send on several at once; hundreds are no server. */
const MAXIMUM_ASSOCIATIONS = 20
const LISTED_PEERS = 20
/** Permanent, by the service user, no reason given (PS3.8 9.3.4). */
const NOT_WELCOME = { result: 1, source: 1, reason: 1 } as const

export interface MoveListenerOptions {
  readonly isDebug: boolean
  /** Addresses and networks (CIDR) that may connect; anyone when it is left out. */
  readonly from: readonly string[] | undefined
  /** Called once for each peer that asks: `PACS at 192.0.2.1`. */
  readonly onPeer: (peer: string, isWelcome: boolean) => void
}

/** The destination of a C-MOVE in this process. */
export interface MoveListener {
  readonly port: number
  /** Waits for what is still being stored, then stops listening. */
  close(deadlineMs: number): Promise<void>
}

/**
 * Listens for the server to send to, under this title alone: any storage SOP class, in any transfer syntax, C-ECHO too.
 *
 * @throws DICOMTAP_ERR_NET_LISTEN
 */
export async function listenForMove(
  aeTitle: string,
  { host, port }: ReceiveAddress,
  receiver: Receiver,
  { isDebug, from, onPeer }: MoveListenerOptions,
): Promise<MoveListener> {
  const services = SOP_CLASSES.filter(({ service }) => service === 'storage' || service === 'non-patient-object')
  const ae = new ApplicationEntity({
    aeTitle,
    logLevel: isDebug ? 'debug' : 'error',
    unrestrictedStorage: true,
    requireCalledAeTitle: true,
    limits: { maximumAssociations: MAXIMUM_ASSOCIATIONS },
    contexts: [SopClass.Verification, ...services.map(({ uid }) => uid)].map((abstractSyntax) => ({
      abstractSyntax,
      transferSyntaxes: ALL_TRANSFER_SYNTAXES,
    })),
  })
  ae.bind('cStore', receiver.store)
  const allowed = from === undefined ? undefined : networks(from)
  const seen = new Set<string>()
  ae.bind('associationRequest', ({ request, association }) => {
    const isWelcome = allowed === undefined || isIn(allowed, association.remoteAddress)
    const peer = `${printable(request.callingAeTitle.trim())} at ${association.remoteAddress}`
    if (!seen.has(peer) && seen.size < LISTED_PEERS) {
      seen.add(peer)
      onPeer(peer, isWelcome)
    }
    return isWelcome ? undefined : NOT_WELCOME
  })
  const server = await ae.listen({ port, ...(host === undefined ? {} : { host }) })
  return { port: server.port, close: (deadlineMs) => ae.close({ deadlineMs }) }
}

function networks(from: readonly string[]): BlockList {
  const list = new BlockList()
  for (const one of from) {
    const [address = '', prefix] = one.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return list
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
