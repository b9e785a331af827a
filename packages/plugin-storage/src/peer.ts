import type { Association } from '@dicomtap/framework'
import type { StoragePeer } from './hooks.ts'

/** Who is at the other end, and the titles the association was requested with. */
export function peerOf(association: Association): StoragePeer {
  return {
    callingAeTitle: association.callingAeTitle.trim(),
    calledAeTitle: association.calledAeTitle.trim(),
    address: association.remoteAddress,
  }
}

/** The titles of the side that sends and of this one: the requestor sends, unless it asked with C-GET (PS3.4 C.4.3). */
export function transferTitles(association: Association): { readonly sender: string; readonly receiver: string } {
  const { callingAeTitle, calledAeTitle } = peerOf(association)
  return association.role === 'acceptor'
    ? { sender: callingAeTitle, receiver: calledAeTitle }
    : { sender: calledAeTitle, receiver: callingAeTitle }
}
