import { createRequire } from 'node:module'
import { DicomtapError, Stage, definePlugin } from '@dicomtap/framework'
import type { PluginApi, PluginFactory, Rejection } from '@dicomtap/framework'
import { IdentityAcceptor } from './acceptor/decide.ts'
import type { Verifiers } from './acceptor/verifier.ts'
import { callbackVerifier } from './acceptor/verify-by-callback.ts'
import { tokenVerifier } from './acceptor/verify-token.ts'
import { passcodeVerifier, usernameVerifier } from './acceptor/verify-username.ts'
import { IdentityType } from './identity.ts'
import { openKeySet } from './jwt/key-set.ts'
import { isVerifying, userIdentityOptions } from './options.ts'
import type { ResolvedUserIdentityOptions } from './options.ts'
import { IdentityRequestor } from './requestor/identify.ts'
import { RefusalLines } from './refusal-lines.ts'
import type { SharedLockout } from './shared-lockout.ts'
import { usersFile } from './users/user-directory.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** Service-provider (ACSE), no reason given: as for an identity that was refused. */
const NOT_IDENTIFIED: Rejection = { result: 2, source: 2, reason: 1 }

/**
 * User identity negotiation (PS3.7 D.3.3.7) in both roles: verifies who requests an association, and says
 * who this side is when it requests one.
 *
 * @example
 * await ae.use(userIdentity({ users: { file: './users.yaml' } }))
 */
export const userIdentity: PluginFactory<typeof userIdentityOptions> = definePlugin({
  name: 'user-identity',
  version,
  framework: `>=${version} <1`,
  options: userIdentityOptions,

  async apply(api, options) {
    const acceptor = await startAcceptor(api, options)
    api.provideService('user-identity', { identityOf: (association) => acceptor?.identityOf(association) })
    if (options.identifyAs.length === 0) return
    const requestor = new IdentityRequestor(options.identifyAs, api.resolvePath, api.log)
    await requestor.check()
    api.hooks.outgoingAssociation.tapPromise((outgoing) => requestor.identify(outgoing))
    api.hooks.associationAnswer.tapPromise((info) => requestor.checkAnswer(info))
  },
})

async function startAcceptor(api: PluginApi, options: ResolvedUserIdentityOptions): Promise<IdentityAcceptor | undefined> {
  if (!isVerifying(options)) return undefined
  const { verifiers, load } = openVerifiers(api, options)
  await load()
  const { lockout } = options
  const refusals = new RefusalLines(api.log)
  api.onDispose(() => refusals.endWindow())
  const acceptor = new IdentityAcceptor({
    verifiers,
    lockout: lockout === false ? undefined : await api.shareState<SharedLockout>('lockout', new URL('./shared-lockout.js', import.meta.url), lockout),
    lockMs: lockout === false ? 0 : lockout.lockMs,
    log: api.log,
    refusals,
  })
  api.hooks.userIdentity.tapPromise((item, info) => acceptor.decide(item, info))
  api.hooks.configReload.tapPromise(load)
  if (options.required) {
    // The hook userIdentity is asked about an item that is there.
    api.hooks.associationRequest.tap({ stage: Stage.Early }, ({ request, association }) => {
      if (request.userInformation.some((item) => item.type === 0x58 && 'userIdentityType' in item)) return undefined
      refusals.warn('association refused: no user identity was given', {
        association: association.id,
        callingAeTitle: association.callingAeTitle,
        remoteAddress: association.remoteAddress,
      })
      return NOT_IDENTIFIED
    })
  }
  return acceptor
}

/** A verifier for each type that the options have something for, and how to read their files. */
function openVerifiers(api: PluginApi, options: ResolvedUserIdentityOptions): { verifiers: Verifiers; load: () => Promise<void> } {
  const { users, usernameOnly, jwt, kerberos, saml } = options
  const file = users === undefined ? undefined : usersFile(api.resolvePath(users.file), usernameOnly, api.log)
  const keys = jwt === undefined ? undefined : openKeySet(jwt.jwks, api.resolvePath, api.log)
  return {
    verifiers: {
      ...(usernameOnly.length === 0 ? {} : { [IdentityType.Username]: usernameVerifier(usernameOnly, file) }),
      ...(file === undefined ? {} : { [IdentityType.UsernameAndPasscode]: passcodeVerifier(file) }),
      ...(kerberos === undefined ? {} : { [IdentityType.Kerberos]: callbackVerifier(IdentityType.Kerberos, 'kerberos', kerberos) }),
      ...(saml === undefined ? {} : { [IdentityType.Saml]: callbackVerifier(IdentityType.Saml, 'saml', saml) }),
      ...(jwt === undefined || keys === undefined ? {} : { [IdentityType.JsonWebToken]: tokenVerifier(jwt, keys) }),
    },
    async load() {
      await read('users.file', file)
      await read('jwt.jwks', keys)
    },
  }
}

async function read(option: string, source: { load(): Promise<unknown> } | undefined): Promise<void> {
  try {
    await source?.load()
  } catch (cause) {
    const message = `plugins[user-identity].options.${option}: ${(cause as Error).message}`
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', message, { cause })
  }
}
