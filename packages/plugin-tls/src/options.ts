import { DicomtapError } from '@dicomtap/framework'
import { z } from 'zod'
import type {
  ClientTlsOptions,
  ClientTlsSettings,
  ListenerTlsOptions,
  ListenerTlsSettings,
  ResolvedTlsOptions,
  TlsPluginOptions,
} from './option-types.ts'
import { TLS_PROFILE_NAMES } from './profiles.ts'

export type * from './option-types.ts'

export const DEFAULT_PROFILE = 'bcp195-rfc9325'
export const DEFAULT_HANDSHAKE_MS = 10_000
export const DEFAULT_MAXIMUM_HANDSHAKES = 50
export const DEFAULT_WATCH_MS = 10_000
const LONGEST_MS = 2 ** 31 - 1
/** PS3.5 6.2, AE: the default character repertoire without backslash and control characters, spaces around do not count. */
const AE_TITLE = /^(?=.{1,16}$)[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]*[\x21-\x5b\x5d-\x7e])?$/

const file = z.string().min(1)
const oneOrMore = z.union([file, z.array(file).min(1)], { error: 'must be a file or a list of files' })
const passphrase = z.union([z.strictObject({ file }), z.strictObject({ env: z.string().min(1) })], {
  error: 'must be { file: ... } or { env: ... }: secrets do not belong into a configuration',
})
const profile = z.enum(TLS_PROFILE_NAMES)
const text = z.string().min(1)
const fingerprint = z.string().transform((value, context) => {
  const digits = normalFingerprint(value)
  if (digits === undefined) context.addIssue({ code: 'custom', message: 'must be the SHA-256 of a certificate: 64 hexadecimal digits' })
  return digits ?? ''
})
const serverName = text.regex(/^(\*\.)?[\w-]+(\.[\w-]+)*$/, 'must be a host name, or *. and one')

const sni = z.strictObject({
  names: z.array(serverName).min(1).meta({ description: 'Names that peers ask for; *.hospital.example is any name one level below.' }),
  cert: file.meta({ description: 'PEM file with the certificate of these names.' }),
  key: file.optional().meta({ description: 'PEM file with its key. Default: it is in the file cert.' }),
  passphrase: passphrase.optional().meta({ description: 'Of the key, from a file or an environment variable.' }),
})

const identity = z
  .strictObject({
    commonName: text.optional().meta({ description: 'Common name of the subject; * is any text.' }),
    dnsName: text.optional().meta({ description: 'DNS name in the subject alternative name; * is any text.' }),
    ipAddress: text.optional().meta({ description: 'IP address in the subject alternative name.' }),
    uri: text.optional().meta({ description: 'URI in the subject alternative name; * is any text.' }),
    fingerprint: fingerprint.optional().meta({ description: 'SHA-256 of the certificate.' }),
    aeTitles: z
      .array(z.string().regex(AE_TITLE, 'must be an AE title: 1 to 16 characters'))
      .min(1)
      .meta({ description: 'The AE titles that it stands for.' }),
  })
  .refine((rule) => Object.keys(rule).some((key) => key !== 'aeTitles'), {
    error: 'must say which certificates it is for: commonName, dnsName, ipAddress, uri or fingerprint',
  })

const LISTENER = z
  .strictObject({
    profile: profile.optional().meta({ description: 'Secure transport connection profile of PS3.15 annex B.', default: DEFAULT_PROFILE }),
    cert: file.optional().meta({ description: 'PEM file: the certificate of the server, then those of the CAs between it and the root.' }),
    key: file.optional().meta({ description: 'PEM file with its private key. Default: it is in the file cert.' }),
    passphrase: passphrase.optional().meta({ description: 'Of the key, from a file or an environment variable.' }),
    ca: oneOrMore.optional().meta({ description: 'PEM files with the CAs whose certificates peers may show.' }),
    crl: oneOrMore.optional().meta({ description: 'Certificate revocation lists, PEM or DER.' }),
    clientCertificates: z
      .enum(['none', 'optional', 'required'])
      .optional()
      .meta({ description: 'Whether peers must show a certificate.', default: 'required' }),
    sni: z.array(sni).optional().meta({ description: 'More certificates, by the name that a peer asks for.' }),
    handshakeMs: z
      .int()
      .min(1)
      .max(LONGEST_MS)
      .optional()
      .meta({ description: 'How long a handshake may take, from the connection on.', default: DEFAULT_HANDSHAKE_MS }),
    maximumHandshakes: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .meta({ description: 'Handshakes in progress at once; more wait.', default: DEFAULT_MAXIMUM_HANDSHAKES }),
    identities: z.array(identity).optional().meta({ description: 'Which AE titles certificates stand for; the first rule that fits holds.' }),
    aeTitlesFrom: z
      .array(z.enum(['commonName', 'dnsName']))
      .optional()
      .meta({ description: 'Where AE titles are taken from when no rule fits.', default: ['commonName', 'dnsName'] }),
    checkCallingAeTitle: z
      .boolean()
      .optional()
      .meta({ description: 'Reject a calling AE title that is not one of the certificate.', default: false }),
  })
  .meta({ description: 'TLS of a listener' })

/** What a listener takes as `tls`. */
export const listenerTlsOptions: z.ZodType<ListenerTlsOptions, ListenerTlsOptions> = LISTENER

const CLIENT = z
  .strictObject({
    profile: profile.optional().meta({ description: 'Secure transport connection profile of PS3.15 annex B.', default: DEFAULT_PROFILE }),
    ca: oneOrMore.optional().meta({ description: 'PEM files with the CAs to trust. Default: those that Node comes with.' }),
    crl: oneOrMore.optional().meta({ description: 'Certificate revocation lists, PEM or DER.' }),
    cert: file.optional().meta({ description: 'PEM file: the certificate of this side, then those of the CAs between it and the root.' }),
    key: file.optional().meta({ description: 'PEM file with its private key. Default: it is in the file cert.' }),
    passphrase: passphrase.optional().meta({ description: 'Of the key, from a file or an environment variable.' }),
    serverName: text.optional().meta({ description: "Name that the peer's certificate must have. Default: the host." }),
    checkServerName: z
      .boolean()
      .optional()
      .meta({ description: 'false: any certificate of the CA is taken, whatever its name.', default: true }),
    fingerprints: z.array(fingerprint).min(1).optional().meta({ description: 'SHA-256 of certificates of the peer; one must fit.' }),
  })
  .refine((options) => options.cert !== undefined || (options.key === undefined && options.passphrase === undefined), {
    error: 'has a key without a certificate: add cert',
  })
  .refine((options) => options.crl === undefined || options.ca !== undefined, { error: 'has crl without ca: whose lists are they?' })
  .meta({ description: 'TLS of connections that go out' })

/** What `associate` and move destinations take as `tls`. */
export const clientTlsOptions: z.ZodType<ClientTlsOptions, ClientTlsOptions> = CLIENT

/** Options of the plugin; `schema.json` is made from it. */
export const tlsOptions: z.ZodType<ResolvedTlsOptions, TlsPluginOptions> = z
  .strictObject({
    listener: LISTENER.prefault({}).meta({ description: 'What holds for each listener with tls, where it does not say otherwise.' }),
    client: CLIENT.prefault({}).meta({ description: 'What holds for each connection that goes out with tls, where it does not say otherwise.' }),
    watchMs: z
      .int()
      .min(100)
      .max(LONGEST_MS)
      .nullable()
      .default(DEFAULT_WATCH_MS)
      .meta({ description: 'How often files are looked at for changes; null: never.' }),
  })
  .meta({ description: 'Options of @dicomtap/plugin-tls' })

/**
 * Fills in what a listener leaves out. Certificate, key and passphrase belong together: who gives a certificate
 * gets no key of another one.
 *
 * @throws DICOMTAP_ERR_CFG_INVALID when what must be there is not.
 */
export function listenerSettings(own: ListenerTlsOptions, shared: ListenerTlsOptions, where: string): ListenerTlsSettings {
  const { cert, key, passphrase: secret } = own.cert === undefined ? { ...shared, ...definedOnly({ key: own.key, passphrase: own.passphrase }) } : own
  const merged = { ...shared, ...definedOnly(own) }
  const clientCertificates = merged.clientCertificates ?? 'required'
  const ca = listed(merged.ca)
  const crl = listed(merged.crl)
  const problems: string[] = []
  if (cert === undefined) problems.push(`${where}.cert: is missing: the PEM file with the certificate of the server`)
  if (clientCertificates !== 'none' && ca.length === 0) {
    problems.push(
      `${where}.ca: is missing: the PEM file with the CA that signs the certificates of peers; or clientCertificates: none, for encryption without knowing who it is`,
    )
  }
  if (clientCertificates === 'none' && crl.length > 0) problems.push(`${where}.crl: has no use with clientCertificates: none`)
  if (clientCertificates === 'none' && merged.checkCallingAeTitle === true) {
    problems.push(`${where}.checkCallingAeTitle: has nothing to check against with clientCertificates: none`)
  }
  if (problems.length > 0 || cert === undefined) throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', problems.join('\n'))
  return {
    profile: merged.profile ?? DEFAULT_PROFILE,
    cert,
    key,
    passphrase: secret,
    ca,
    crl,
    clientCertificates,
    sni: merged.sni ?? [],
    handshakeMs: merged.handshakeMs ?? DEFAULT_HANDSHAKE_MS,
    maximumHandshakes: merged.maximumHandshakes ?? DEFAULT_MAXIMUM_HANDSHAKES,
    identities: merged.identities ?? [],
    aeTitlesFrom: merged.aeTitlesFrom ?? ['commonName', 'dnsName'],
    checkCallingAeTitle: merged.checkCallingAeTitle ?? false,
  }
}

/** Fills in what a destination leaves out, as for listeners. */
export function clientSettings(own: ClientTlsOptions, shared: ClientTlsOptions): ClientTlsSettings {
  const { cert, key, passphrase: secret } = own.cert === undefined ? shared : own
  const merged = { ...shared, ...definedOnly(own) }
  return {
    profile: merged.profile ?? DEFAULT_PROFILE,
    // Pins of a destination alone: the CA of others says nothing about it.
    ca: own.ca === undefined && own.fingerprints !== undefined ? [] : listed(merged.ca),
    crl: own.ca === undefined && own.fingerprints !== undefined ? [] : listed(merged.crl),
    cert,
    key,
    passphrase: secret,
    serverName: merged.serverName,
    checkServerName: merged.checkServerName ?? true,
    fingerprints: own.ca !== undefined && own.fingerprints === undefined ? [] : (merged.fingerprints ?? []),
  }
}

/** Is it an AE title, leading and trailing spaces gone? */
export function isAeTitle(value: string): boolean {
  return AE_TITLE.test(value)
}

/** Upper-case digits without colons; undefined when it is no SHA-256. */
export function normalFingerprint(value: string): string | undefined {
  const digits = value.replace(/[:\s]/g, '').toUpperCase()
  return /^[0-9A-F]{64}$/.test(digits) ? digits : undefined
}

function listed(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

function definedOnly<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T
}
