/** Presentation context ids are odd integers from 1 to 255 (PS3.8 9.3.2.2), so there are 128 of them. */
export const MAX_PRESENTATION_CONTEXTS = 128

/** What one A-ASSOCIATE PDU may hold, however short its items are. */
export interface AssociateLimits {
  /** At most 128: there are no more ids. */
  readonly maximumPresentationContexts: number
  /** Items of all kinds and depths together, those that are skipped included. */
  readonly maximumAssociateItems: number
  /** Sub-items of the user information. */
  readonly maximumUserItems: number
}

/**
 * 128 contexts can need one role selection, one extended and one common extended negotiation item each, and
 * 60 transfer syntaxes; beyond a multiple of that the peer is not negotiating.
 */
export const DEFAULT_ASSOCIATE_LIMITS: AssociateLimits = Object.freeze({
  maximumPresentationContexts: MAX_PRESENTATION_CONTEXTS,
  maximumAssociateItems: 16_384,
  maximumUserItems: 1_024,
})

/** PS3.5 9.1 */
export const MAX_UID_BYTES = 64

/** PS3.8 9.3.2: the AE titles are fields of 16 bytes. */
export const AE_TITLE_BYTES = 16

/** PS3.7 D.3.3.2.3 */
export const MAX_IMPLEMENTATION_VERSION_NAME_BYTES = 16

/** PDU type, reserved byte, length (PS3.8 9.3.1). */
export const PDU_HEADER_BYTES = 6

/** Item length, presentation context id, message control header (PS3.8 9.3.5.1 and annex E.2). */
export const PDV_HEADER_BYTES = 6
