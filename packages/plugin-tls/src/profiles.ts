import { getCiphers } from 'node:tls'
import type { SecureVersion } from 'node:tls'
import { DicomtapError } from '@dicomtap/framework'

/** A secure transport connection profile of PS3.15 annex B, in the words of OpenSSL. */
export interface TlsProfile {
  /** As the standard calls it. */
  readonly title: string
  readonly clause: string
  /** In newer editions of PS3.15 it is retired. */
  readonly isRetired: boolean
  /** What it offers is broken or about to be: whoever uses it must be told. */
  readonly isWeak: boolean
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
  /** TLS 1.3, by the names of RFC 8446, best first. */
  readonly suites13: readonly string[]
  /** TLS 1.2 and before, by the names of OpenSSL, best first. */
  readonly suites12: readonly string[]
  /** Those without which it is not the profile. */
  readonly requiredSuites: readonly string[]
  /** OpenSSL's: 2 asks for 112 bits, so RSA keys of 2048 and signatures with SHA-256, in the certificates of peers too. */
  readonly securityLevel: 0 | 1 | 2
  /** Undefined: what OpenSSL prefers, hybrids against quantum computers included where it has them. */
  readonly curves: string | undefined
  /** Finite-field Diffie-Hellman, with groups as strong as the certificate's key. */
  readonly usesDhe: boolean
}

const SUITES_13 = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256']
const ECDHE_GCM = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
]
const DHE_GCM = ['DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256']
/** NIST curves of 256 bits and more. */
const NIST_CURVES = 'P-256:P-384:P-521'

const CURRENT = {
  isRetired: false,
  isWeak: false,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  requiredSuites: [],
  securityLevel: 2,
  curves: undefined,
  usesDhe: false,
} as const

export type TlsProfileName = 'bcp195-rfc9325' | 'bcp195-rfc9325-modified' | 'non-downgrading' | 'extended' | 'bcp195' | 'aes' | 'basic'

export const TLS_PROFILES: Readonly<Record<TlsProfileName, TlsProfile>> = {
  'bcp195-rfc9325': {
    ...CURRENT,
    title: 'BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile',
    clause: 'PS3.15 B.12',
    suites13: SUITES_13,
    // RFC 9325 4.2
    suites12: ECDHE_GCM,
  },
  'bcp195-rfc9325-modified': {
    ...CURRENT,
    title: 'Modified BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile',
    clause: 'PS3.15 B.13',
    suites13: [...SUITES_13, 'TLS_AES_128_CCM_SHA256', 'TLS_AES_128_CCM_8_SHA256'],
    suites12: [
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      'ECDHE-RSA-CHACHA20-POLY1305',
      'ECDHE-ECDSA-AES256-CCM',
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES128-CCM',
      'ECDHE-ECDSA-AES256-CCM8',
      'ECDHE-ECDSA-AES128-CCM8',
    ],
    curves: NIST_CURVES,
  },
  'non-downgrading': {
    ...CURRENT,
    title: 'Non-Downgrading BCP 195 TLS Secure Transport Connection Profile',
    clause: 'PS3.15 B.10',
    isRetired: true,
    suites13: SUITES_13,
    suites12: [...ECDHE_GCM, ...DHE_GCM],
    usesDhe: true,
  },
  extended: {
    ...CURRENT,
    title: 'Extended BCP 195 TLS Profile Secure Transport Connection Profile',
    clause: 'PS3.15 B.11',
    isRetired: true,
    // It names suites of TLS 1.2 and permits no others.
    maxVersion: 'TLSv1.2',
    suites13: [],
    suites12: [...ECDHE_GCM, ...DHE_GCM],
    curves: NIST_CURVES,
    usesDhe: true,
  },
  bcp195: {
    ...CURRENT,
    title: 'BCP 195 TLS Secure Transport Connection Profile',
    clause: 'PS3.15 B.9',
    isRetired: true,
    isWeak: true,
    suites13: SUITES_13,
    // The last one is for peers of the AES profile; TLS 1.0 and 1.1 are gone since RFC 8996.
    suites12: [...ECDHE_GCM, ...DHE_GCM, 'AES128-SHA'],
    securityLevel: 1,
    usesDhe: true,
  },
  aes: {
    title: 'AES TLS Secure Transport Connection Profile',
    clause: 'PS3.15 B.3',
    isRetired: true,
    isWeak: true,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.2',
    suites13: [],
    suites12: ['AES128-SHA', 'DES-CBC3-SHA'],
    requiredSuites: ['AES128-SHA'],
    // Below 1 there is no TLS 1.0.
    securityLevel: 0,
    curves: undefined,
    usesDhe: false,
  },
  basic: {
    title: 'Basic TLS Secure Transport Connection Profile',
    clause: 'PS3.15 B.1',
    isRetired: true,
    isWeak: true,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.2',
    suites13: [],
    suites12: ['DES-CBC3-SHA'],
    requiredSuites: ['DES-CBC3-SHA'],
    securityLevel: 0,
    curves: undefined,
    usesDhe: false,
  },
}

export const TLS_PROFILE_NAMES: readonly TlsProfileName[] = Object.keys(TLS_PROFILES) as TlsProfileName[]

/** What `tls.createSecureContext` takes of a profile. */
export interface ProfileContextOptions {
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
  readonly ciphers: string
  readonly honorCipherOrder: true
  readonly ecdhCurve?: string
  readonly dhparam?: 'auto'
}

/**
 * A profile as this Node can do it: suites that its OpenSSL lacks are left out.
 * @throws DICOMTAP_ERR_TLS_PROFILE when it lacks one that the profile must have.
 */
export function contextOptionsOf(name: TlsProfileName): ProfileContextOptions {
  const { suites13, suites12, requiredSuites, securityLevel, minVersion, maxVersion, curves, usesDhe, title } = TLS_PROFILES[name]
  const known = new Set(getCiphers())
  const missing = requiredSuites.filter((suite) => !known.has(suite.toLowerCase()))
  if (missing.length > 0) {
    const message = `profile ${name} (${title}) needs ${missing.join(', ')}, which the OpenSSL of this Node (${process.versions.openssl}) does not have`
    throw new DicomtapError('DICOMTAP_ERR_TLS_PROFILE', `${message}; use bcp195-rfc9325, or aes for old equipment`)
  }
  const suites = [...suites13, ...suites12].filter((suite) => known.has(suite.toLowerCase()))
  return {
    minVersion,
    maxVersion,
    ciphers: [...suites, `@SECLEVEL=${securityLevel}`].join(':'),
    honorCipherOrder: true,
    ...(curves === undefined ? {} : { ecdhCurve: curves }),
    ...(usesDhe ? { dhparam: 'auto' } : {}),
  }
}

/** What the operator must know about a profile; undefined when it is a current one. */
export function profileWarning(name: TlsProfileName): string | undefined {
  const { isRetired, isWeak, title, clause } = TLS_PROFILES[name]
  if (!isRetired) return undefined
  const head = `profile ${name} (${title}, ${clause}) is retired`
  if (name === 'bcp195') return `${head} and WEAK: it takes TLS_RSA_WITH_AES_128_CBC_SHA, which has no forward secrecy; use bcp195-rfc9325`
  if (isWeak) return `${head} and WEAK: it takes TLS 1.0 and ciphers that can be broken; keep it to one listener for old equipment, and use bcp195-rfc9325 elsewhere`
  return `${head}; use bcp195-rfc9325`
}
