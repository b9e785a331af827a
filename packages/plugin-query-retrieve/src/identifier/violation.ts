import { QueryStatus, StatusError } from '@dicomtap/framework'

/** What Error Comment (0000,0902) holds (PS3.5 6.2, LO). */
const MAXIMUM_COMMENT_CHARACTERS = 64

/** The identifier is not what its SOP class wants (PS3.4 table C.4-1): A900. Comments have names of attributes, never values. */
export function violation(comment: string, ...tags: readonly number[]): StatusError {
  return new StatusError(QueryStatus.IdentifierMismatch, { errorComment: comment.slice(0, MAXIMUM_COMMENT_CHARACTERS), offendingElements: tags })
}

export const Tag = {
  SpecificCharacterSet: 0x00080005,
  QueryRetrieveLevel: 0x00080052,
  TimezoneOffsetFromUTC: 0x00080201,
} as const
