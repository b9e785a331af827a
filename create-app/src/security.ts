/** TLS beside the plain port, or instead of it. */
export type TlsMode = 'beside' | 'only'
/** Anyone may associate, or the peers of a file and nobody else. */
export type AccessMode = 'open' | 'deny'

export const TLS_PACKAGE = '@dicomtap/plugin-tls'
export const ACCESS_PACKAGE = '@dicomtap/plugin-access'

export const PLAIN_PORT = 11112
/** Registered for DICOM over TLS (PS3.8 9.1.1). */
export const TLS_PORT = 2762

/** The script of the package.json that makes certificates to try TLS out with. */
export const CERTIFICATES_SCRIPT = 'certificates'
