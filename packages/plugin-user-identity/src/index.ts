export type { CallbackAnswer, IdentityCallback } from './acceptor/verify-by-callback.ts'
export { IDENTITY_NOTE, IdentityType } from './identity.ts'
export type { UserIdentityService, VerifiedIdentity } from './identity.ts'
export { userIdentityOptions } from './options.ts'
export type {
  IdentityRuleInput,
  JwtAlgorithm,
  JwtOptions,
  LockoutOptions,
  OutgoingField,
  ResolvedUserIdentityOptions,
  UserIdentityPluginOptions,
} from './options.ts'
export { hashPasscode } from './users/phc.ts'
export type { HashAlgorithm } from './users/phc.ts'
export { userIdentity } from './user-identity.ts'
