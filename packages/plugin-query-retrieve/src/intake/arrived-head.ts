import type { ArrivedHead } from '../database/instance-index.ts'
import type { StoredFile } from '../storage-service.ts'

/** The tag of Pixel Data, little endian, and the longest header of an element (PS3.5 7.1). */
const PIXEL_DATA = Buffer.from([0xe0, 0x7f, 0x10, 0x00])
const HEADER_BYTES = 12

/**
 * What a thread needs of a file that was stored: the beginning of its data set up to where pixels seem to begin, for what
 * follows would be copied for nothing. Where these bytes are part of a value, the file is read instead.
 */
export function arrivedHead({ relativePath, transferSyntaxUid, dataSetHead, dataSetBytes }: Omit<StoredFile, 'studyInstanceUid'>): ArrivedHead | undefined {
  if (transferSyntaxUid === undefined || dataSetHead === undefined || dataSetBytes === undefined) return undefined
  const pixelData = Buffer.from(dataSetHead.buffer, dataSetHead.byteOffset, dataSetHead.length).indexOf(PIXEL_DATA)
  const end = pixelData < 0 ? dataSetHead.length : pixelData + HEADER_BYTES
  // A copy: a view would keep all that it is of, and take it along to the thread. Small ones share memory, which goes there once.
  return { relativePath, transferSyntaxUid, dataSetHead: Buffer.from(dataSetHead.subarray(0, end)), dataSetBytes, arrivedAtMs: Date.now() }
}
