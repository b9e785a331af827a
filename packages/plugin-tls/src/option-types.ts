import type { TlsProfileName } from './profiles.ts'

/** A secret that does not stand in the configuration. */
export type PlacedSecret = { readonly file: string } | { readonly env: string }

export type ClientCertificates = 'none' | 'optional' | 'required'

/** Where the AE titles of a certificate are taken from when no rule names them. */
export type AeTitleSource = 'commonName' | 'dnsName'

/** The certificate of a server name (SNI, RFC 6066 3). */
export interface ServerNameOptions {
  /** Names that peers ask for, `*.hospital.example` too. */
  readonly names: readonly string[]
  readonly cert: string
  /** Default: the key is in the file `cert`. */
  readonly key?: string | undefined
  readonly passphrase?: PlacedSecret | undefined
}

/** Which AE titles a certificate stands for. What is given must fit; `*` is any text. */
export interface IdentityRule {
  readonly commonName?: string | undefined
  readonly dnsName?: string | undefined
  readonly ipAddress?: string | undefined
  readonly uri?: string | undefined
  /** SHA-256 of the certificate in hexadecimal digits, with or without colons. */
  readonly fingerprint?: string | undefined
  readonly aeTitles: readonly string[]
}

/** `tls` of a listener. Paths start at the config file's folder. */
export interface ListenerTlsOptions {
  /** Default `bcp195-rfc9325`. */
  readonly profile?: TlsProfileName | undefined
  /** PEM file: the server's certificate, then those of the CAs between it and the root. */
  readonly cert?: string | undefined
  /** PEM file of its private key. Default: it is in the file `cert`. */
  readonly key?: string | undefined
  readonly passphrase?: PlacedSecret | undefined
  /** PEM files of the CAs whose certificates peers may show. */
  readonly ca?: string | readonly string[] | undefined
  /** Certificate revocation lists, PEM or DER. With one, each CA in a peer's chain must have its list. */
  readonly crl?: string | readonly string[] | undefined
  /** Default `required`. */
  readonly clientCertificates?: ClientCertificates | undefined
  readonly sni?: readonly ServerNameOptions[] | undefined
  /** How long a handshake may take, from the connection on. Default 10 000. */
  readonly handshakeMs?: number | undefined
  /** Handshakes in progress at once; more wait. Default 50. */
  readonly maximumHandshakes?: number | undefined
  readonly identities?: readonly IdentityRule[] | undefined
  /** Default: both. */
  readonly aeTitlesFrom?: readonly AeTitleSource[] | undefined
  /** Reject (1,1,3) a calling AE title that is not one of the certificate's. Default false. */
  readonly checkCallingAeTitle?: boolean | undefined
}

/** `tls` of `associate` and of move destinations. Paths start at the config file's folder. */
export interface ClientTlsOptions {
  /** Default `bcp195-rfc9325`. */
  readonly profile?: TlsProfileName | undefined
  /** PEM files of the CAs that are trusted. Default: those that Node comes with. */
  readonly ca?: string | readonly string[] | undefined
  readonly crl?: string | readonly string[] | undefined
  /** PEM file: this side's certificate, then those of the CAs between it and the root. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly passphrase?: PlacedSecret | undefined
  /** Name that the peer's certificate must have, and that it is asked for. Default: the host. */
  readonly serverName?: string | undefined
  /** `false`: any certificate of the CA is taken, whatever its name. Default true. */
  readonly checkServerName?: boolean | undefined
  /** SHA-256 of certificates of the peer; one must fit. Without `ca` it is all that is checked. */
  readonly fingerprints?: readonly string[] | undefined
}

export interface TlsPluginOptions {
  /** What holds for each listener with `tls`, where it does not say otherwise. */
  readonly listener?: ListenerTlsOptions | undefined
  /** What holds for each outgoing connection with `tls`, where it does not say otherwise. */
  readonly client?: ClientTlsOptions | undefined
  /** How often files are looked at for changes; `null`: never. Default 10 000. */
  readonly watchMs?: number | null | undefined
}

/** Options with their defaults. */
export interface ResolvedTlsOptions {
  readonly listener: ListenerTlsOptions
  readonly client: ClientTlsOptions
  readonly watchMs: number | null
}

/** `tls` of a listener, defaults of the plugin and ours filled in. */
export interface ListenerTlsSettings {
  readonly profile: TlsProfileName
  readonly cert: string
  readonly key: string | undefined
  readonly passphrase: PlacedSecret | undefined
  readonly ca: readonly string[]
  readonly crl: readonly string[]
  readonly clientCertificates: ClientCertificates
  readonly sni: readonly ServerNameOptions[]
  readonly handshakeMs: number
  readonly maximumHandshakes: number
  readonly identities: readonly IdentityRule[]
  readonly aeTitlesFrom: readonly AeTitleSource[]
  readonly checkCallingAeTitle: boolean
}

/** `tls` of a connection that goes out, defaults filled in. */
export interface ClientTlsSettings {
  readonly profile: TlsProfileName
  readonly ca: readonly string[]
  readonly crl: readonly string[]
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly passphrase: PlacedSecret | undefined
  readonly serverName: string | undefined
  readonly checkServerName: boolean
  readonly fingerprints: readonly string[]
}
