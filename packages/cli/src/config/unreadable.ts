import { DicomtapError } from '@dicomtap/framework'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied; give the user that runs dicomtap the right to read it',
  EPERM: 'not permitted; give the user that runs dicomtap the right to read it',
  EISDIR: 'it is not a file',
  ENOENT: 'it is a link to something that does not exist',
  ELOOP: 'it is a circle of links',
}

/** The error for a config file that is there but cannot be read. */
export function unreadable(file: string, cause: unknown): DicomtapError {
  const { code, message } = cause as NodeJS.ErrnoException
  const reason = (code === undefined ? undefined : REASONS[code]) ?? message
  return new DicomtapError('DICOMTAP_ERR_CFG_UNREADABLE', `${file}: ${reason}`, { cause })
}
