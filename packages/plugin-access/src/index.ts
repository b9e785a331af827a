export { access } from './access.ts'
export { accessOptions, proxyProtocolOptions } from './options.ts'
export type { AccessPluginOptions, ProxyProtocolOptions, ResolvedAccessOptions, ResolvedProxyProtocolOptions } from './options.ts'
export { fileSchemas } from './peers-file/schema.ts'
export type {
  CertificateCondition,
  OmittableUserItem,
  PeerEntry,
  PeerLimits,
  PeersFile,
  Profile,
  Quirks,
  RuleEntry,
  UserCondition,
} from './peers-file/types.ts'
export type { RefusalCause, RejectionTriple } from './rejections.ts'
export type { AccessPeer, AccessService } from './service.ts'
