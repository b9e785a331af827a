import { RetrieveStatus, StatusError } from '@dicomtap/framework'

/** AA01: of such an object no other can be made. */
export function cannotCreate(errorComment: string): StatusError {
  return new StatusError(RetrieveStatus.CannotCreateObject, { errorComment })
}

/** AA02: the frames cannot be cut out of the file. */
export function cannotExtract(errorComment: string): StatusError {
  return new StatusError(RetrieveStatus.CannotExtractFrames, { errorComment })
}
