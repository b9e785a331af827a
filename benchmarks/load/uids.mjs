export const VERIFICATION = '1.2.840.10008.1.1'
export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2'

/** Transfer syntaxes that the generator can propose, by the name its option takes. */
export const TRANSFER_SYNTAXES = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  jpeg: '1.2.840.10008.1.2.4.50',
}

// PS3.5 B.2: a UUID as one number below 2.25. The digits stay as many whatever the count, so that an
// instance's UID can be written over the one before it.
const RUN_DIGITS = 12
const ASSOCIATION_DIGITS = 4
const INSTANCE_DIGITS = 8

/** The part that all UIDs of this run have in common; no two runs share it. */
export const RUN = `2.25.1${Math.floor(Math.random() * 10 ** RUN_DIGITS).toString().padStart(RUN_DIGITS, '0')}`
export const STUDY_INSTANCE_UID = `${RUN}${'0'.repeat(ASSOCIATION_DIGITS)}1`
export const SERIES_INSTANCE_UID = `${RUN}${'0'.repeat(ASSOCIATION_DIGITS)}2`

/** The UID of one instance: always 30 characters. */
export function sopInstanceUid(association, instance) {
  return `${RUN}${digits(association, ASSOCIATION_DIGITS)}${digits(instance, INSTANCE_DIGITS)}`
}

function digits(value, count) {
  return String(value).padStart(count, '0')
}
