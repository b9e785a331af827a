import { DicomtapError } from '@dicomtap/framework'

/** DICOMTAP_ERR_QR_DATABASE. The cause is left out on purpose: databases quote values in their messages. */
export function databaseError(message: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_QR_DATABASE', message)
}
