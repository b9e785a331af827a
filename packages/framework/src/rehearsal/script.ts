import { isStorageSopClass } from '../dataset/index.ts'
import type { SupportedContext } from '../acse/types.ts'
import { PduType } from '../pdu/types.ts'
import { cannedAssociateRequest, cannedEcho, cannedReleaseRequest, cannedStore } from './canned-messages.ts'
import type { CannedContext, CannedMessage } from './canned-messages.ts'
import type { Pace } from './pace.ts'
import type { Rehearsal } from './rehearsal.ts'

const VERIFICATION = '1.2.840.10008.1.1'
const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2'
const VERIFICATION_ID = 1
/** Explicit and Implicit VR Little Endian: what data sets are made in here. */
const TRANSFER_SYNTAXES: readonly string[] = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2']
const SMALL_BYTES = 8 * 1024
const LARGE_BYTES = 512 * 1024
/** What is proposed as the largest P-DATA-TF by senders that know that it matters. */
const PDU_BYTES = 131_072

/** How much of everything is in a round; less in the first ones, so that everything has its turn. */
const ROUND = { associations: 40, echoes: 40, smallObjects: 60, largeObjects: 4 } as const
const FULL_ROUND = 8

/** What a rehearsal did. */
export interface Rehearsed {
  associations: number
  echoes: number
  objects: number
}

export interface Scene {
  /** Large messages that were made already, by transfer syntax: hundreds of them would be half of what a server weighs. */
  readonly made: Map<string, CannedMessage>
  readonly pace: Pace
  readonly rehearsal: Rehearsal
  readonly done: Rehearsed
}

/**
 * The same as peers do, over and over: associations with one C-ECHO, many C-ECHOs, small objects, large objects, and
 * large ones on two associations at once.
 */
export async function rehearseRound(scene: Scene, round: number): Promise<void> {
  const { pace, rehearsal } = scene
  const proposed = proposedContexts(rehearsal.contexts)
  const stores = proposed.filter(({ id }) => id !== VERIFICATION_ID)
  const echo = proposed.some(({ id }) => id === VERIFICATION_ID) ? cannedEcho(VERIFICATION_ID) : undefined
  const perform = async (messages: CannedMessage | undefined, count: number, counter: 'echoes' | 'objects'): Promise<void> => {
    if (messages !== undefined && !pace.isOver) await onAssociation(scene, proposed, messages, count, counter)
  }
  const some = (count: number): number => Math.ceil(count * Math.min(1, (round + 1) / FULL_ROUND))
  for (let i = 0; i < some(ROUND.associations) && !pace.isOver; i++) await onAssociation(scene, proposed, echo, 1, 'echoes')
  await perform(echo, some(ROUND.echoes), 'echoes')
  const context = stores[round % stores.length]
  if (context === undefined) return
  const { maximumPduBytes } = rehearsal
  const pduBytes = maximumPduBytes === 0 ? PDU_BYTES : Math.min(PDU_BYTES, maximumPduBytes)
  await perform(cannedStore(context, SMALL_BYTES, pduBytes, round + 2), some(ROUND.smallObjects), 'objects')
  const [large, another] = [0, 1].map((association) => {
    const key = `${context.transferSyntax} ${association}`
    const message = scene.made.get(key) ?? cannedStore(context, LARGE_BYTES, pduBytes, association)
    scene.made.set(key, message)
    return message
  })
  await perform(large, some(ROUND.largeObjects), 'objects')
  await Promise.all([large, another].map((message) => perform(message, some(ROUND.largeObjects / 2), 'objects')))
}

/** One association with that many messages. */
async function onAssociation(
  { pace, rehearsal, done }: Scene,
  contexts: readonly CannedContext[],
  message: CannedMessage | undefined,
  count: number,
  counter: 'echoes' | 'objects',
): Promise<void> {
  await pace.step()
  if (pace.isOver) return
  const peer = rehearsal.connect()
  try {
    await peer.exchange(cannedAssociateRequest(contexts, rehearsal.calledAeTitle, rehearsal.callingAeTitle), PduType.AAssociateAc)
    done.associations += 1
    for (let i = 0; i < count && message !== undefined; i++) {
      const waiting = pace.step()
      if (waiting !== undefined) await waiting
      if (pace.isOver) return
      await peer.exchange(message.next(), PduType.PDataTf)
      done[counter] += 1
    }
    await peer.exchange(cannedReleaseRequest(), PduType.AReleaseRp)
  } finally {
    peer.destroy()
  }
}

/** Verification, and a storage SOP class in each transfer syntax. */
function proposedContexts(supported: readonly SupportedContext[]): CannedContext[] {
  const proposed: CannedContext[] = []
  const verification = supported.find(({ abstractSyntax }) => abstractSyntax === VERIFICATION)
  const [transferSyntax] = verification?.transferSyntaxes ?? []
  if (transferSyntax !== undefined) proposed.push({ id: VERIFICATION_ID, abstractSyntax: VERIFICATION, transferSyntax })
  const isUsable = ({ abstractSyntax, transferSyntaxes }: SupportedContext): boolean =>
    isStorageSopClass(abstractSyntax) && transferSyntaxes.some((uid) => TRANSFER_SYNTAXES.includes(uid))
  const storage = supported.find((context) => context.abstractSyntax === CT_IMAGE_STORAGE && isUsable(context)) ?? supported.find(isUsable)
  for (const uid of storage?.transferSyntaxes ?? []) {
    if (!TRANSFER_SYNTAXES.includes(uid)) continue
    proposed.push({ id: 2 * proposed.length + 3, abstractSyntax: (storage as SupportedContext).abstractSyntax, transferSyntax: uid })
  }
  return proposed
}
