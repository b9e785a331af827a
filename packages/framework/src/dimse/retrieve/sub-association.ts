import type { AcceptedContext } from '../../acse/types.ts'
import { TransferSyntax } from '../../dataset/transfer-syntaxes.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { ErrorCode } from '../../errors/index.ts'
import type { CStoreOptions, CStoreResponse, StoreBytes } from '../user-types.ts'
import type { MoveDestination, Operation } from '../types.ts'
import type { PulledInstance } from './pulled-instance.ts'

/** What an instance needs a presentation context for: it is sent as it is, or not at all. See `transferSyntaxesOf`. */
export type InstanceContext = Pick<PulledInstance, 'sopClassUid' | 'transferSyntaxUid'>

/** In these a data set is proposed that is encoded when it is sent. */
const OF_DATA_SETS: readonly string[] = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian]

/** The transfer syntaxes that an instance may be sent in, in order of preference. */
export function transferSyntaxesOf({ transferSyntaxUid }: InstanceContext): readonly string[] {
  return transferSyntaxUid === undefined ? OF_DATA_SETS : [transferSyntaxUid]
}

/** A destination with its titles. */
export type ResolvedDestination = MoveDestination & Required<Pick<MoveDestination, 'calledAeTitle' | 'callingAeTitle'>>

/** An association with a Move Destination, lent to one operation. */
export interface SubAssociation {
  /** False once it has ended. */
  readonly isUsable: boolean
  /** Operations that may be outstanding at once. */
  readonly window: number
  /** The accepted context for exactly this class and transfer syntax, or one of those of a data set. */
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
   * all of them are proposed, 128 at most.
   * @throws what `ApplicationEntity.associate` throws.
   */
  open(destination: ResolvedDestination, contexts: readonly InstanceContext[], operation: Operation): Promise<SubAssociation>
}

const ENDED_BY_PEER: readonly ErrorCode[] = ['DICOMTAP_ERR_ACSE_REJECTED', 'DICOMTAP_ERR_ACSE_ABORTED', 'DICOMTAP_ERR_NET_CLOSED']

/** May the destination have refused an association because it has one with this side already? */
export function isPerhapsFull(error: unknown): boolean {
  return error instanceof DicomtapError && ENDED_BY_PEER.includes(error.code)
}
