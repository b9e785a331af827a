import type { DataSet } from '../dataset/types.ts'

/**
 * Where {@link IncomingDataSet.pipeTo} writes. `write` gets the fragments that arrived since the last
 * call, as views that are only valid until its promise settles (or, when it returns undefined, until
 * it returns). While it is pending nothing more is handed over and, once the receive buffer is full,
 * the socket is paused.
 */
export interface DataSetSink {
  write(fragments: readonly Uint8Array[]): Promise<void> | void
}

/**
 * The data set of a request, as a stream that starts with the first fragment. It can be consumed
 * once, by one of its methods. What is not consumed is discarded by the core.
 */
export interface IncomingDataSet {
  readonly transferSyntaxUid: string
  /** Bytes that arrived so far; all of them once consumed. */
  readonly receivedBytes: number
  /**
   * The encoded bytes, fragment by fragment; the buffers belong to the caller.
   * @throws DICOMTAP_ERR_DIMSE_TRUNCATED when the association ends before the data set does.
   */
  bytes(): AsyncIterable<Uint8Array>
  /**
   * The whole data set, encoded.
   * @throws DICOMTAP_ERR_DS_TOO_LARGE beyond `maximumBytes`, default `limits.maximumDecodedDataSetBytes`.
   */
  buffer(maximumBytes?: number): Promise<Buffer>
  /** Decoded by dcmjs. @throws DICOMTAP_ERR_DS_MALFORMED, DICOMTAP_ERR_DS_TOO_LARGE. */
  dataset(): Promise<DataSet>
  /** Streams into `sink` with back-pressure and no copy; resolves with the byte count when all is written. */
  pipeTo(sink: DataSetSink): Promise<number>
}
