import { type Association, type CStoreRequest, type DataSetSink, DicomtapError, type IncomingDataSet, type Operation } from '@dicomtap/framework'

export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2'
export const EXPLICIT_LE = '1.2.840.10008.1.2.1'

/** One element of PS3.5 7.1.2 in Explicit VR Little Endian. */
export function element(tag: number, vr: string, value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value.length % 2 === 0 ? value : value + (vr === 'UI' ? '\0' : ' '), 'latin1') : value
  const isLong = ['OB', 'OW', 'UN', 'SQ', 'UT'].includes(vr)
  const header = Buffer.alloc(isLong ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(vr, 4, 'latin1')
  if (isLong) header.writeUInt32LE(bytes.length, 8)
  else header.writeUInt16LE(bytes.length, 6)
  return Buffer.concat([header, bytes])
}

export interface ObjectValues {
  sopClassUid?: string | undefined
  sopInstanceUid?: string | undefined
  studyInstanceUid?: string | undefined
  seriesInstanceUid?: string | undefined
  patientId?: string
  modality?: string
  pixelBytes?: number
  /** What the pixels are filled with, to tell objects apart. */
  fill?: number
}

/** A data set with what the plugin looks at, in tag order; `undefined` leaves an attribute out. */
export function dataSetOf(values: ObjectValues = {}): Buffer {
  const all = {
    sopClassUid: CT_IMAGE_STORAGE,
    sopInstanceUid: '1.2.3.4.5',
    studyInstanceUid: '1.2.3',
    seriesInstanceUid: '1.2.3.4',
    patientId: 'P1',
    modality: 'CT',
    pixelBytes: 64,
    fill: 1,
    ...values,
  }
  const uid = (tag: number, value: string | undefined): Buffer[] => (value === undefined ? [] : [element(tag, 'UI', value)])
  return Buffer.concat([
    ...uid(0x0008_0016, all.sopClassUid),
    ...uid(0x0008_0018, all.sopInstanceUid),
    element(0x0008_0060, 'CS', all.modality),
    element(0x0010_0020, 'LO', all.patientId),
    ...uid(0x0020_000d, all.studyInstanceUid),
    ...uid(0x0020_000e, all.seriesInstanceUid),
    element(0x7fe0_0010, 'OW', Buffer.alloc(all.pixelBytes, all.fill)),
  ])
}

export interface ArrivalOptions {
  /** Size of the fragments; default 64 KiB. */
  fragmentBytes?: number
  /** Ends with DICOMTAP_ERR_DIMSE_TRUNCATED after so many bytes. */
  truncatedAt?: number
  /** Awaited before the fragment at that many bytes is handed over; `reached` is called before. */
  pause?: { at: number; until: Promise<unknown>; reached?: () => void }
}

/**
 * A data set that arrives in fragments, keeping to the contract at its harshest: each fragment is a view
 * on one buffer that is overwritten as soon as the sink is through with it.
 */
export class ArrivingDataSet implements IncomingDataSet {
  readonly transferSyntaxUid: string = EXPLICIT_LE
  receivedBytes = 0
  readonly #bytes: Buffer
  readonly #options: ArrivalOptions

  constructor(bytes: Buffer, options: ArrivalOptions = {}) {
    this.#bytes = bytes
    this.#options = options
  }

  async pipeTo(sink: DataSetSink): Promise<number> {
    const { fragmentBytes = 65536, truncatedAt = Infinity, pause } = this.#options
    const view = Buffer.alloc(fragmentBytes)
    for (let at = 0; at < this.#bytes.length; at += fragmentBytes) {
      if (pause !== undefined && at >= pause.at) {
        pause.reached?.()
        await pause.until
      }
      if (at >= truncatedAt) throw new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', 'The association ended')
      const length = this.#bytes.copy(view, 0, at, at + fragmentBytes)
      this.receivedBytes += length
      await sink.write([view.subarray(0, length)])
      view.fill(0xee)
    }
    return this.receivedBytes
  }

  bytes(): never {
    throw new Error('Not used by the plugin')
  }
  buffer(): never {
    throw new Error('Not used by the plugin')
  }
  dataset(): never {
    throw new Error('Not used by the plugin')
  }
}

/** As much of an association as the plugin looks at. */
export function associationOf(callingAeTitle = 'SENDER'): Association {
  return {
    id: 'a1',
    role: 'acceptor',
    state: 'established',
    callingAeTitle,
    calledAeTitle: 'ARCHIVE',
    remoteAddress: '127.0.0.1',
    settings: { implementationClassUid: '1.2.3.999', implementationVersionName: 'TEST_1' },
  } as Association
}

export interface RequestOptions extends ArrivalOptions {
  sopClassUid?: string
  sopInstanceUid?: string
  association?: Association
  signal?: AbortSignal
}

/** A C-STORE request for `bytes`, and the operation it comes with. */
export function requestFor(bytes: Buffer, options: RequestOptions = {}): [CStoreRequest, Operation] {
  const request = {
    service: 'C-STORE',
    messageId: 1,
    affectedSopClassUid: options.sopClassUid ?? CT_IMAGE_STORAGE,
    affectedSopInstanceUid: options.sopInstanceUid ?? '1.2.3.4.5',
    dataSet: new ArrivingDataSet(bytes, options),
  } as unknown as CStoreRequest
  const operation = {
    association: options.association ?? associationOf(),
    signal: options.signal ?? new AbortController().signal,
  } as Operation
  return [request, operation]
}
