import { z } from 'zod'
import type { IdentityCallback } from './acceptor/verify-by-callback.ts'
import { isUrl } from './jwt/key-set.ts'
import { nameProblem } from './names.ts'
import { JWT_ALGORITHMS } from './option-types.ts'
import type { IdentityRule, JwtOptions, ResolvedUserIdentityOptions, UserIdentityPluginOptions } from './option-types.ts'

export type * from './option-types.ts'

const LONGEST_MS = 2 ** 31 - 1

/** A function, which YAML and JSON cannot hold. */
function code<T>(): z.ZodType<T, T> {
  const error = 'must be a function, which only a config in TypeScript or JavaScript can hold'
  // In the JSON Schema: nothing that an editor of YAML could offer.
  return z.custom<T>((value) => typeof value === 'function', { error }).meta({ not: {} })
}

const milliseconds = z.int().min(1).max(LONGEST_MS)
const file = z.string().min(1)
const username = z.string().superRefine((name, context) => {
  const problem = nameProblem(name)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})
const oneOrMore = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).transform((value) => (typeof value === 'string' ? [value] : value))
const outgoing = z.union([z.strictObject({ file }), z.strictObject({ env: z.string().min(1) }), code<() => never>()], {
  error: 'must be { file: ... } or { env: ... }: secrets do not belong into a configuration',
})

const jwks = file.superRefine((source, context) => {
  if (!isUrl(source)) {
    if (/^[a-z][\w+.-]*:\/\//i.test(source)) context.addIssue({ code: 'custom', message: 'must be an https URL or a file' })
    return
  }
  const url = URL.canParse(source) ? new URL(source) : undefined
  const isLocal = url !== undefined && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url === undefined || (url.protocol !== 'https:' && !isLocal)) {
    context.addIssue({ code: 'custom', message: 'must be an https URL: whoever changes the keys on their way decides who is let in' })
  }
})

const jwt = z.strictObject({
  jwks: jwks.meta({ description: "The provider's public keys (JWKS): an https URL, or a file." }),
  issuer: oneOrMore.meta({ description: 'Accepted values of the claim iss.' }),
  audience: oneOrMore.meta({ description: 'Accepted values of the claim aud.' }),
  algorithms: z.array(z.enum(JWT_ALGORITHMS)).min(1).default([...JWT_ALGORITHMS]).meta({ description: 'Accepted signature algorithms.' }),
  clockToleranceMs: z.int().min(0).max(600_000).default(5_000).meta({ description: 'How far the clocks may differ.' }),
  userClaim: z.string().min(1).default('sub').meta({ description: 'Claim with the username. A dot leads into an object.' }),
  rolesClaim: z.string().min(1).optional().meta({ description: 'Claim with the roles, e.g. realm_access.roles. Default: no roles.' }),
  response: code<NonNullable<JwtOptions['response']>>().optional().meta({ description: "Code only: the server's token, for a peer that asks for a response." }),
})

const lockout = z.strictObject({
  attempts: z.int().min(1).max(1_000_000).default(5).meta({ description: 'Failures of one username within the window that lock it.' }),
  attemptsPerAddress: z.int().min(1).max(1_000_000).default(20).meta({ description: 'Failures of one remote address within the window that lock it.' }),
  windowMs: milliseconds.default(300_000).meta({ description: 'How long failures are counted.' }),
  lockMs: milliseconds.default(900_000).meta({ description: 'How long a lock holds.' }),
})

const rule = z
  .strictObject({
    calledAeTitle: z.string().trim().min(1).max(16).optional().meta({ description: 'AE title of the peer.' }),
    host: z.string().min(1).optional().meta({ description: 'Host of the peer, as associations name it.' }),
    port: z.int().min(1).max(65_535).optional().meta({ description: 'Port of the peer.' }),
    username: username.optional().meta({ description: 'Type 1, and with a passcode type 2.' }),
    passcode: outgoing.optional().meta({ description: 'From a file or an environment variable.' }),
    ticket: code<NonNullable<IdentityRule['ticket']>>().optional().meta({ description: 'Type 3, code only: makes a Kerberos service ticket.' }),
    assertion: outgoing.optional().meta({ description: 'Type 4: a SAML assertion, from a file or an environment variable.' }),
    token: outgoing.optional().meta({ description: 'Type 5: a JSON web token, from a file or an environment variable.' }),
    requireResponse: z.boolean().default(false).meta({ description: 'Ask the peer to confirm, and abort when it does not.' }),
    verifyResponse: code<NonNullable<IdentityRule['verifyResponse']>>().optional().meta({ description: "Code only: whether the peer's answer is good." }),
    requireTls: z.boolean().default(false).meta({ description: 'Refuse to send it without TLS.' }),
  })
  .superRefine((one, context) => {
    const fail = (message: string): void => context.addIssue({ code: 'custom', message })
    if (one.calledAeTitle === undefined && one.host === undefined) fail('must name the peer: calledAeTitle or host')
    const kinds = [one.username, one.ticket, one.assertion, one.token].filter((kind) => kind !== undefined)
    if (kinds.length !== 1) fail('must have one of username, ticket, assertion and token')
    if (one.passcode !== undefined && one.username === undefined) fail('has a passcode without a username')
  })

/** Options of the plugin; `schema.json` is made from it. */
export const userIdentityOptions: z.ZodType<ResolvedUserIdentityOptions, UserIdentityPluginOptions> = z
  .strictObject({
    required: z.boolean().optional().meta({
      description: 'Refuse who does not identify. Default: true when users, usernameOnly, jwt, kerberos or saml is there.',
    }),
    users: z
      .strictObject({ file: file.meta({ description: 'File that dicomtap users writes. Relative to the config file.' }) })
      .optional()
      .meta({ description: 'Usernames and passcodes (type 2), and the roles of users.' }),
    usernameOnly: z.array(username).default([]).meta({ description: 'Usernames let in without proof (type 1).' }),
    jwt: jwt.optional().meta({ description: 'JSON web tokens (type 5).' }),
    kerberos: code<IdentityCallback>().optional().meta({ description: 'Code only: verifies Kerberos service tickets (type 3).' }),
    saml: code<IdentityCallback>().optional().meta({ description: 'Code only: verifies SAML assertions (type 4).' }),
    lockout: z.union([z.literal(false), lockout]).prefault({}).meta({ description: 'Repeated failures lock the username and the address; false: they are not counted.' }),
    identifyAs: z.array(rule).default([]).meta({ description: 'As requestor: who this side says it is. The first rule that fits the peer holds.' }),
  })
  .superRefine((options, context) => {
    const isAnything = isVerifying(options)
    if (options.required === true && !isAnything) {
      context.addIssue({ code: 'custom', path: ['required'], message: 'nobody could identify: give users, usernameOnly or jwt' })
    }
    if (!isAnything && options.identifyAs.length === 0 && options.required !== true) {
      context.addIssue({ code: 'custom', message: 'say who may identify (users, usernameOnly, jwt) or who this side is (identifyAs)' })
    }
  })
  .transform((options): ResolvedUserIdentityOptions => ({ ...options, required: options.required ?? isVerifying(options) }))
  .meta({ description: 'Options of @dicomtap/plugin-user-identity' })

/** Whether there is anything that the identity of a peer could be verified with. */
export function isVerifying({
  users,
  usernameOnly,
  jwt: tokens,
  kerberos,
  saml,
}: Pick<ResolvedUserIdentityOptions, 'users' | 'usernameOnly' | 'jwt' | 'kerberos' | 'saml'>): boolean {
  return usernameOnly.length > 0 || [users, tokens, kerberos, saml].some((one) => one !== undefined)
}
