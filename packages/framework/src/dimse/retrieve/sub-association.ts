import type { AcceptedContext, RequestedContext } from '../../acse/types.ts'
import { canConvertDataSet } from '../../dataset/convert.ts'
import { TransferSyntax } from '../../dataset/transfer-syntaxes.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { ErrorCode } from '../../errors/index.ts'
import type { CStoreOptions, CStoreResponse, StoreBytes } from '../user-types.ts'
import type { MoveDestination, Operation } from '../types.ts'
import type { PulledInstance } from './pulled-instance.ts'

/** What an instance needs a presentation context for. See `transferSyntaxesOf`. */
export type InstanceContext = Pick<PulledInstance, 'sopClassUid' | 'transferSyntaxUid'>

/** In these a data set is proposed that is encoded when it is sent, and what is uncompressed can be converted to them. */
const UNCOMPRESSED: readonly string[] = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian]

/**
 * The transfer syntaxes that an instance may be sent in, in order of preference: its own, and of an uncompressed one
 * the others that it can be converted to without touching a value. A compressed one is sent as it is or not at all.
 */
export function transferSyntaxesOf({ transferSyntaxUid }: InstanceContext): readonly string[] {
  if (transferSyntaxUid === undefined) return UNCOMPRESSED
  return [transferSyntaxUid, ...UNCOMPRESSED.filter((uid) => uid !== transferSyntaxUid && canConvertDataSet(transferSyntaxUid, uid))]
}

/**
 * What is proposed for these. An instance's own transfer syntax has a context of its own, so that the destination can
 * accept it whatever it prefers; those that it would be converted to have another.
 */
export function proposalsFor(contexts: readonly InstanceContext[]): RequestedContext[] {
  const proposals = new Map<string, RequestedContext>()
  const propose = (abstractSyntax: string, transferSyntaxes: readonly string[]): void => {
    const key = [abstractSyntax, ...transferSyntaxes].join(' ')
    if (transferSyntaxes.length > 0 && !proposals.has(key)) proposals.set(key, { abstractSyntax, transferSyntaxes })
  }
  for (const context of contexts) {
    const [own, ...others] = transferSyntaxesOf(context)
    if (own === undefined || context.transferSyntaxUid === undefined) {
      propose(context.sopClassUid, transferSyntaxesOf(context))
      continue
    }
    propose(context.sopClassUid, [own])
    propose(context.sopClassUid, others)
  }
  return [...proposals.values()]
}

/** A destination with its titles. */
export type ResolvedDestination = MoveDestination & Required<Pick<MoveDestination, 'calledAeTitle' | 'callingAeTitle'>>

/** An association with a Move Destination, lent to one operation. */
export interface SubAssociation {
  /** False once it has ended. */
  readonly isUsable: boolean
  /** Operations that may be outstanding at once. */
  readonly window: number
  /**
   * The accepted context for this class and transfer syntax, or one of those that it can be converted to: that only
   * when its own was proposed as well, and not accepted.
   */
  contextFor(context: InstanceContext): AcceptedContext | undefined
  /** Was it proposed, and not accepted? */
  refuses(context: InstanceContext): boolean
  cStore(source: StoreBytes, options: CStoreOptions): Promise<CStoreResponse>
  /** Not needed any more: another operation may get it, or it is released. */
  giveBack(): void
  /** Not to be used by another operation; resolves when it is over. */
  release(): Promise<void>
}

/** Where the associations of a C-MOVE come from. */
export interface SubAssociations {
  /**
   * An association with the destination that accepts the first of these contexts, or a new one, to which
   * all of them are proposed: `proposalsFor` must give 128 at most.
   * @throws what `ApplicationEntity.associate` throws.
   */
  open(destination: ResolvedDestination, contexts: readonly InstanceContext[], operation: Operation): Promise<SubAssociation>
}

const REFUSED_OR_UNHEARD: readonly ErrorCode[] = [
  'DICOMTAP_ERR_ACSE_REJECTED',
  'DICOMTAP_ERR_ACSE_ABORTED',
  'DICOMTAP_ERR_ACSE_TIMEOUT',
  'DICOMTAP_ERR_NET_CLOSED',
]

/** May the destination have refused an association, or let it wait, because it has one with this side already? */
export function isPerhapsFull(error: unknown): boolean {
  return error instanceof DicomtapError && REFUSED_OR_UNHEARD.includes(error.code)
}

const STARTING: readonly ErrorCode[] = ['DICOMTAP_ERR_NET_CONNECT', 'DICOMTAP_ERR_NET_CLOSED', 'DICOMTAP_ERR_ACSE_ABORTED']

/** May the destination be between its end and its start? One that ends may still accept a connection, and reset it. */
export function isPerhapsStarting(error: unknown): boolean {
  return error instanceof DicomtapError && STARTING.includes(error.code)
}
