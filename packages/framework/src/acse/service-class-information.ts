/**
 * The service class application information of SOP Class Extended Negotiation (PS3.7 D.3.3.5), byte by byte as
 * PS3.4 defines it for each service class. What a peer leaves out counts as not supported; what it sends beyond
 * the bytes known here is ignored.
 */

/** C-FIND of Query/Retrieve (PS3.4 C.5.1.1): proposed by the requestor, granted by the acceptor. */
export interface FindNegotiation {
  /** Byte 1: keys of any level, without the unique keys of the levels above. */
  readonly relationalQueries: boolean
  /** Byte 2: a range of date and a range of time are one range. */
  readonly dateTimeMatching: boolean
  /** Byte 3: of person names. */
  readonly fuzzySemanticMatching: boolean
  /** Byte 4: by Timezone Offset From UTC (0008,0201) of the query. */
  readonly timezoneQueryAdjustment: boolean
  /** Byte 5: Query/Retrieve View (0008,0053). */
  readonly enhancedMultiFrameImageConversion: boolean
  /** Byte 6: two double quotes match an attribute without a value. */
  readonly emptyValueMatching: boolean
  /** Byte 7: several values in a key. */
  readonly multipleValueMatching: boolean
}

/** C-FIND of worklists and of hanging protocols and the like (PS3.4 K.5.1). Bytes 1 and 2 are always 1. */
export interface WorklistNegotiation {
  /** Byte 3: of person names. */
  readonly fuzzySemanticMatching: boolean
  /** Byte 4: by Timezone Offset From UTC (0008,0201) of the query. */
  readonly timezoneQueryAdjustment: boolean
}

/** C-MOVE and C-GET (PS3.4 C.5.2.1, C.5.3.1). */
export interface RetrieveNegotiation {
  /** Byte 1: by unique keys of one level, without those of the levels above. Not for composite instances (Y.5.1.1). */
  readonly relationalRetrieval: boolean
  /** Byte 2: Query/Retrieve View (0008,0053). */
  readonly enhancedMultiFrameImageConversion: boolean
}

/** Storage (PS3.4 B.3.1): each side says what it is as SCP; nothing is granted. */
export interface StorageNegotiation {
  /** Byte 1: 0 local, 1 base, 2 full (PS3.4 B.4.1); 3 when it is SCU only. */
  readonly levelOfSupport: 0 | 1 | 2 | 3
  /** Byte 3: of a level 2 SCP; 0 unspecified, else signature level 1 to 3. */
  readonly levelOfDigitalSignatureSupport: 0 | 1 | 2 | 3
  /** Byte 5: 0 coerces no data elements, 1 may coerce, 2 is SCU only. */
  readonly elementCoercion: 0 | 1 | 2
}

/** What holds of a peer that did not negotiate (PS3.4 table B.3-1). */
const NO_STORAGE_NEGOTIATION: StorageNegotiation = { levelOfSupport: 3, levelOfDigitalSignatureSupport: 0, elementCoercion: 2 }

/** As many bytes as are needed to say it, at least one: PS3.4 C.5.1.1 has bytes 2 and following optional. */
export function encodeFindNegotiation(options: Partial<FindNegotiation>): Uint8Array {
  return flags([
    options.relationalQueries,
    options.dateTimeMatching,
    options.fuzzySemanticMatching,
    options.timezoneQueryAdjustment,
    options.enhancedMultiFrameImageConversion,
    options.emptyValueMatching,
    options.multipleValueMatching,
  ])
}

/** Of a request or an answer; see {@link FindNegotiation}. */
export function decodeFindNegotiation(bytes: Uint8Array): FindNegotiation {
  return {
    relationalQueries: bytes[0] === 1,
    dateTimeMatching: bytes[1] === 1,
    fuzzySemanticMatching: bytes[2] === 1,
    timezoneQueryAdjustment: bytes[3] === 1,
    enhancedMultiFrameImageConversion: bytes[4] === 1,
    emptyValueMatching: bytes[5] === 1,
    multipleValueMatching: bytes[6] === 1,
  }
}

/** Three bytes, or four with the time zone (PS3.4 K.5.1.1). */
export function encodeWorklistNegotiation(options: Partial<WorklistNegotiation>): Uint8Array {
  return flags([true, true, options.fuzzySemanticMatching, options.timezoneQueryAdjustment], 3)
}

/** Of a request or an answer; see {@link WorklistNegotiation}. */
export function decodeWorklistNegotiation(bytes: Uint8Array): WorklistNegotiation {
  return { fuzzySemanticMatching: bytes[2] === 1, timezoneQueryAdjustment: bytes[3] === 1 }
}

/** One byte, or two with the conversion (PS3.4 C.5.2.1). */
export function encodeRetrieveNegotiation(options: Partial<RetrieveNegotiation>): Uint8Array {
  return flags([options.relationalRetrieval, options.enhancedMultiFrameImageConversion])
}

/** Of a request or an answer; see {@link RetrieveNegotiation}. */
export function decodeRetrieveNegotiation(bytes: Uint8Array): RetrieveNegotiation {
  return { relationalRetrieval: bytes[0] === 1, enhancedMultiFrameImageConversion: bytes[1] === 1 }
}

/** Six bytes (PS3.4 tables B.3-1 and B.3-2). What is left out is said as by an SCU that is no SCP. */
export function encodeStorageNegotiation(options: Partial<StorageNegotiation>): Uint8Array {
  const { levelOfSupport, levelOfDigitalSignatureSupport, elementCoercion } = { ...NO_STORAGE_NEGOTIATION, ...options }
  return Uint8Array.of(levelOfSupport, 0, levelOfDigitalSignatureSupport, 0, elementCoercion, 0)
}

/**
 * Of a request or an answer; see {@link StorageNegotiation}. A byte that is missing or has none of its values
 * means what holds without negotiation: 0 would claim that the peer coerces nothing.
 */
export function decodeStorageNegotiation(bytes: Uint8Array): StorageNegotiation {
  const upTo = <T extends number>(maximum: T, value: number | undefined, otherwise: T): T =>
    value !== undefined && value <= maximum ? (value as T) : otherwise
  return {
    levelOfSupport: upTo<0 | 1 | 2 | 3>(3, bytes[0], NO_STORAGE_NEGOTIATION.levelOfSupport),
    levelOfDigitalSignatureSupport: upTo<0 | 1 | 2 | 3>(3, bytes[2], NO_STORAGE_NEGOTIATION.levelOfDigitalSignatureSupport),
    elementCoercion: upTo<0 | 1 | 2>(2, bytes[4], NO_STORAGE_NEGOTIATION.elementCoercion),
  }
}

/** One byte each, without the zeros at the end; never fewer than `atLeast`. */
function flags(values: readonly (boolean | undefined)[], atLeast = 1): Uint8Array {
  const last = values.lastIndexOf(true) + 1
  return Uint8Array.from(values.slice(0, Math.max(last, atLeast)), (value) => (value === true ? 1 : 0))
}
