import type { DataSet } from '../dataset/types.ts'
import type { CommandSet } from './command-set.ts'
import type { DataSetBytes } from './fragmenter.ts'
import type { StatusCategory } from './status.ts'
import type { OutgoingDataSet, Priority } from './types.ts'

/** What every request of this side may be given. */
export interface RequestOptions {
  /**
   * For C-FIND, C-GET and C-MOVE: sends C-CANCEL, the responses go on until the final one. For the other
   * services, which cannot be cancelled (PS3.7 9.3.2.3): takes back a request that has not been sent yet. Before
   * the call: nothing is sent (DICOMTAP_ERR_DIMSE_CANCELLED).
   */
  readonly signal?: AbortSignal
  /** ID of the presentation context to use, odd, 1 to 255. Default: the first accepted one that fits. */
  readonly presentationContextId?: number
}

/** A response of the peer (PS3.7 annex C). A failure status is a response like any other: look at it. */
export interface DimseResponse {
  /** (0000,0900), e.g. 0x0000. */
  readonly status: number
  /** `success`, `pending`, `cancel`, `warning`, `failure`, or `unknown` for a code outside all of them. */
  readonly category: StatusCategory
  /** What the status means for this service, in words. */
  readonly label: string
  /** (0000,0902), what the peer has to say about it. */
  readonly errorComment: string | undefined
  /** (0000,0901) tags as numbers, e.g. 0x00100010. */
  readonly offendingElements: readonly number[] | undefined
  /** The whole command set as received. */
  readonly command: CommandSet
}

/** What a C-STORE takes besides what it sends (PS3.7 9.1.1.1). */
export interface CStoreOptions extends RequestOptions {
  /** 0 medium, 1 high, 2 low; few peers heed it. Default 0. */
  readonly priority?: Priority
  /** SOP Class UID; needed where the source does not tell it (bytes without a file header). */
  readonly sopClassUid?: string
  /** SOP Instance UID; as `sopClassUid`. */
  readonly sopInstanceUid?: string
  /** Transfer syntax of the bytes; as `sopClassUid`. A DataSet is encoded in that of the context. */
  readonly transferSyntaxUid?: string
  /**
   * Convert between uncompressed little endian transfer syntaxes when no context was accepted for the one
   * that the source has. Default false: what is sent is what was given, byte by byte.
   */
  readonly convert?: boolean
  /** For C-STORE sub-operations: the AE title of who asked for the C-MOVE, and its Message ID, 0 to 65535. */
  readonly moveOriginatorApplicationEntityTitle?: string
  readonly moveOriginatorMessageId?: number
  /**
   * Called with the bytes of the encoded data set that were sent so far: of one up to 1 MiB once, at its end; of a
   * larger one again and again. What it throws is logged, and it is not called again.
   */
  readonly onProgress?: (sentBytes: number) => void
}

/**
 * What a C-STORE sends: the path of a DICOM file (a string or file: URL), the bytes of one, a data set, or
 * an encoded data set that is drawn lazily.
 */
export type CStoreSource = string | URL | Uint8Array | DataSet | StoreBytes

/** An encoded data set, without preamble and file meta information, and what it is. */
export interface StoreBytes {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** Called once. Each piece belongs to the core once it is given: do not write into it again. */
  bytes(): DataSetBytes | Promise<DataSetBytes>
}

/** A response to a C-STORE, and what was sent. */
export interface CStoreResponse extends DimseResponse {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
}

/** What C-FIND, C-GET and C-MOVE take. */
export interface QueryOptions extends RequestOptions {
  /** SOP class of the query model, by its UID, e.g. `StudyRoot.Find`. */
  readonly model: string
  /** 0 medium, 1 high, 2 low; few peers heed it. Default 0. */
  readonly priority?: Priority
}
/** What C-MOVE takes (PS3.7 9.1.4.1). */
export interface CMoveOptions extends QueryOptions {
  /** AE title that the instances are to be sent to, 1 to 16 characters; the peer must know its address. */
  readonly destination: string
}

/** A response to a C-FIND (PS3.7 9.1.2.1). */
export interface CFindResponse extends DimseResponse {
  /** A match; with a Pending status only. */
  readonly identifier: DataSet | undefined
}

/** A response to C-GET or C-MOVE; the counters of sub-operations are undefined when the peer left them out. */
export interface RetrieveResponse extends DimseResponse {
  readonly numberOfRemainingSuboperations: number | undefined
  readonly numberOfCompletedSuboperations: number | undefined
  readonly numberOfFailedSuboperations: number | undefined
  readonly numberOfWarningSuboperations: number | undefined
  /** Failed SOP Instance UID List (0008,0058); empty when none was sent. */
  readonly failedSopInstanceUids: readonly string[]
}

/** A response to an N service; what a service does not have is undefined. */
export interface NResponse extends DimseResponse {
  /** (0000,0903) */
  readonly errorId: number | undefined
  /** (0000,1005) tags as numbers: those that the peer could not give or set. */
  readonly attributeIdentifierList: readonly number[] | undefined
  /** Event Reply, Attribute List or Action Reply, as the service has it. */
  readonly dataset: DataSet | undefined
  /** N-CREATE: the instance that the SCP created. */
  readonly affectedSopInstanceUid: string | undefined
}

interface NOptions extends RequestOptions {
  /** Meta SOP class whose presentation context is used (PS3.4 H.3.2), e.g. of print management. */
  readonly metaSopClassUid?: string
}
/** PS3.7 10.1.1.1 */
export interface NEventReportOptions extends NOptions {
  readonly affectedSopClassUid: string
  readonly affectedSopInstanceUid: string
  /** 0 to 65535; what it means stands with the SOP class. */
  readonly eventTypeId: number
  readonly eventInformation?: OutgoingDataSet
}
/** PS3.7 10.1.2.1 */
export interface NGetOptions extends NOptions {
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
  /** Keywords, and tags as numbers or eight hexadecimal digits. Default: every attribute. */
  readonly attributeIdentifierList?: readonly (string | number)[]
}
/** PS3.7 10.1.3.1 */
export interface NSetOptions extends NOptions {
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
  readonly modificationList: OutgoingDataSet
}
/** PS3.7 10.1.4.1 */
export interface NActionOptions extends NOptions {
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
  /** 0 to 65535; what it means stands with the SOP class. */
  readonly actionTypeId: number
  readonly actionInformation?: OutgoingDataSet
}
/** PS3.7 10.1.5.1 */
export interface NCreateOptions extends NOptions {
  readonly affectedSopClassUid: string
  /** Without it the SCP names the instance. */
  readonly affectedSopInstanceUid?: string
  readonly attributeList?: OutgoingDataSet
}
/** PS3.7 10.1.6.1 */
export interface NDeleteOptions extends NOptions {
  readonly requestedSopClassUid: string
  readonly requestedSopInstanceUid: string
}
