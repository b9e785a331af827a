import type { AcceptedContext, OperationsWindow } from '../acse/types.ts'
import type { AssociateTls } from '../config/types.ts'
import type { AssociateOptions } from '../association/associate-options.ts'
import type { Association } from '../association/association.ts'
import type { DataSet } from '../dataset/types.ts'
import type { CommandSet } from './command-set.ts'
import type { IncomingDataSet } from './incoming-data-set.ts'
import type { CStoreSource } from './user-types.ts'

/** The DIMSE services of PS3.7. */
export type DimseService =
  | 'C-ECHO'
  | 'C-STORE'
  | 'C-FIND'
  | 'C-GET'
  | 'C-MOVE'
  | 'N-EVENT-REPORT'
  | 'N-GET'
  | 'N-SET'
  | 'N-ACTION'
  | 'N-CREATE'
  | 'N-DELETE'

interface RequestBase {
  readonly service: DimseService
  /** Message ID (0000,0110). */
  readonly messageId: number
  /** The whole command set as decoded. */
  readonly command: CommandSet
}

/** Priority (0000,0700) of PS3.7: 0 medium, 1 high, 2 low. */
export type Priority = number

/** PS3.7 9.3.5.1 */
export interface CEchoRequest extends RequestBase {
  readonly service: 'C-ECHO'
  readonly affectedSopClassUid: string
}

/** PS3.7 9.3.1.1. Handed over when its command is complete; `dataSet` streams in afterwards. */
export interface CStoreRequest extends RequestBase {
  readonly service: 'C-STORE'
  readonly affectedSopClassUid: string
  readonly affectedSopInstanceUid: string
  readonly priority: Priority
  readonly moveOriginatorApplicationEntityTitle: string | undefined
  readonly moveOriginatorMessageId: number | undefined
  readonly dataSet: IncomingDataSet
}

/** PS3.7 9.3.2.1 */
export interface CFindRequest extends RequestBase {
  readonly service: 'C-FIND'
  readonly affectedSopClassUid: string
  readonly priority: Priority
  readonly identifier: IncomingDataSet
}

/** PS3.7 9.3.3.1 */
export interface CGetRequest extends RequestBase {
  readonly service: 'C-GET'
  readonly affectedSopClassUid: string
  readonly priority: Priority
  readonly identifier: IncomingDataSet
}

/** PS3.7 9.3.4.1 */
export interface CMoveRequest extends RequestBase {
  readonly service: 'C-MOVE'
  readonly affectedSopClassUid: string
  readonly priority: Priority
  readonly moveDestination: string
  readonly identifier: IncomingDataSet
}

/** PS3.7 10.3.1.1 */
export interface NEventReportRequest extends RequestBase {
  readonly service: 'N-EVENT-REPORT'
  readonly affectedSopClassUid: string
  readonly affectedSopInstanceUid: string
  readonly eventTypeId: number
  readonly eventInformation: IncomingDataSet | undefined
}

/** PS3.7 10.3.2.1 */
export interface NGetRequest extends RequestBase {
  readonly service: 'N-GET'
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
  /** Tags as numbers, e.g. `0x00100010`; empty means all. */
  readonly attributeIdentifierList: readonly number[]
}

/** PS3.7 10.3.3.1 */
export interface NSetRequest extends RequestBase {
  readonly service: 'N-SET'
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
  readonly modificationList: IncomingDataSet
}

/** PS3.7 10.3.4.1 */
export interface NActionRequest extends RequestBase {
  readonly service: 'N-ACTION'
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
  readonly actionTypeId: number
  readonly actionInformation: IncomingDataSet | undefined
}

/** PS3.7 10.3.5.1. The SCP may name the instance when the SCU did not. */
export interface NCreateRequest extends RequestBase {
  readonly service: 'N-CREATE'
  readonly affectedSopClassUid: string
  readonly affectedSopInstanceUid: string | undefined
  readonly attributeList: IncomingDataSet | undefined
}

/** PS3.7 10.3.6.1 */
export interface NDeleteRequest extends RequestBase {
  readonly service: 'N-DELETE'
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
}

export type DimseRequest =
  | CEchoRequest
  | CStoreRequest
  | CFindRequest
  | CGetRequest
  | CMoveRequest
  | NEventReportRequest
  | NGetRequest
  | NSetRequest
  | NActionRequest
  | NCreateRequest
  | NDeleteRequest

/** One running request of a peer, as handlers see it. */
export interface Operation {
  readonly service: DimseService
  readonly messageId: number
  /** The request as handlers get it; its data set is read by the handler that answers, and by no one else. */
  readonly request: DimseRequest
  readonly association: Association
  /** The presentation context the request came on. */
  readonly context: AcceptedContext
  /** The SOP class the request is about. */
  readonly sopClassUid: string
  /**
   * Aborted by C-CANCEL, release, abort, disconnect and handler time-out. Pass it on to whatever the
   * handler waits for.
   */
  readonly signal: AbortSignal
  /** True once C-CANCEL for this operation arrived (PS3.7 9.3.2.3). */
  readonly isCancelled: boolean
}

/** A status with what may go with it in a response (PS3.7 annex C). */
export interface StatusDetails {
  readonly status: number
  /** (0000,0902) at most 64 characters; goes to the peer. */
  readonly errorComment?: string | undefined
  /** (0000,0901) tags as numbers. */
  readonly offendingElements?: readonly number[] | undefined
  /** (0000,0903) */
  readonly errorId?: number | undefined
  /** (0000,1005) tags as numbers; N-GET and N-SET. */
  readonly attributeIdentifierList?: readonly number[] | undefined
}

/** What a handler may answer as a status: the number, or the number with details. */
export type StatusAnswer = number | StatusDetails

/**
 * A data set a handler gives out: keyword-keyed values (dcmjs's naturalized form), encoded by the
 * core in the context's transfer syntax, or bytes that are already encoded in it.
 */
export type OutgoingDataSet = DataSet | Uint8Array

/** A match with the Pending status it is sent with: FF00, or FF01 when optional keys were not supported. */
export interface FindMatch {
  readonly identifier: OutgoingDataSet
  readonly status?: 0xff00 | 0xff01
}

/**
 * The answer to a C-FIND: matches to be pulled one by one. The iterable's return value may be the
 * final status; without one it is 0000. A plain status ends the operation with no match.
 */
export type CFindAnswer = AsyncIterable<OutgoingDataSet | FindMatch> | Iterable<OutgoingDataSet | FindMatch> | StatusAnswer

/** An instance that a C-GET or C-MOVE sends, pulled lazily. */
export interface InstanceToSend {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** The transfer syntax that the bytes are encoded in. */
  readonly transferSyntaxUid: string
  /**
   * The encoded data set, without preamble and file meta information. Called when it is the instance's
   * turn; for a C-MOVE once more when the association with the destination was lost meanwhile. Each piece
   * belongs to the core once it is given: do not write into it again.
   */
  bytes(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/**
 * A DICOM file that a C-GET or C-MOVE sends, of which it is known already what is in it. It is opened when it is its
 * turn, not before; and one that cannot be opened is in the Failed SOP Instance UID List, while of a bare path nobody
 * knows what it was to be. What its head says then counts: it goes out as the class and transfer syntax that it is,
 * and not at all when it is another instance.
 */
export interface FileToSend {
  /** A path, or a file: URL. It is not told in the log, where the instance's UID stands for it. */
  readonly path: string | URL
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** False: a symbolic link in place of the file is not followed, the sub-operation fails. Default true. */
  readonly followsLinks?: boolean
}

export interface RetrieveAnswerInstances {
  /**
   * Pulled as they are needed. A file's path (a string or file: URL), a file's bytes and a data set will do, as for
   * `cStore`: of a file its head is read when it is pulled, and its data set while it is sent. A data set is encoded
   * in the accepted one of the uncompressed little endian transfer syntaxes. What is encoded already is sent as it
   * is, byte by byte; only where the peer did not accept its uncompressed transfer syntax it is converted to another
   * uncompressed one. What cannot be opened counts as failed, and the others go on.
   */
  readonly instances: AsyncIterable<InstanceToSend | FileToSend | CStoreSource> | Iterable<InstanceToSend | FileToSend | CStoreSource>
  /**
   * How many there will be, for Number of Remaining Sub-operations (0000,1020), which is left out of the
   * responses until it is known. What is promised and not given counts as failed.
   */
  readonly total?: number
}

/** The answer to a C-GET or C-MOVE. */
export type RetrieveAnswer = RetrieveAnswerInstances | StatusAnswer

/** The answer to an N service. */
export type NServiceAnswer =
  | number
  | (StatusDetails & {
      readonly dataset?: OutgoingDataSet | undefined
      /** N-CREATE: the instance UID the SCP assigned. */
      readonly affectedSopInstanceUid?: string | undefined
    })

/**
 * Where a C-MOVE sends to, and how: what it shares with `AssociateOptions` means the same. An association is kept
 * for a short while, and lent again only when all of this is the same.
 */
export interface MoveDestination extends Pick<AssociateOptions, 'host' | 'port' | 'timeouts' | 'limits' | 'localAddress' | 'userIdentity'> {
  /** Default: the title that the C-MOVE named. */
  readonly calledAeTitle?: string
  /** Default: the title that the peer addressed the C-MOVE to. */
  readonly callingAeTitle?: string
  /** As in `AssociateOptions`: asks for a secure connection. */
  readonly tls?: AssociateTls | boolean
  /** With one of its own there is one association with the destination at most, and none for some time after it. */
  readonly localPort?: number
  /** What the destination agrees to of it is how many instances are outstanding at once. */
  readonly asynchronousOperations?: OperationsWindow
}
