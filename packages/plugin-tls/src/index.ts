export type { TlsIdentity, TlsService } from './identity.ts'
export { clientTlsOptions, listenerTlsOptions, tlsOptions } from './options.ts'
export type {
  AeTitleSource,
  ClientCertificates,
  ClientTlsOptions,
  IdentityRule,
  ListenerTlsOptions,
  PlacedSecret,
  ResolvedTlsOptions,
  ServerNameOptions,
  TlsPluginOptions,
} from './options.ts'
export { TLS_PROFILES, TLS_PROFILE_NAMES } from './profiles.ts'
export type { TlsProfile, TlsProfileName } from './profiles.ts'
export { tls } from './tls.ts'
