import type { RequestedContext } from '../acse/types.ts'
import type { AssociateOptions, UserIdentityOptions } from '../association/associate-options.ts'
import { DicomtapError } from '../errors/index.ts'
import { HOOK_CATALOG, HOOK_NAMES } from '../hooks/catalog.ts'
import type { HookHandlers } from '../hooks/types.ts'
import { aeTitle, requestedContext, uid } from './dicom-rules.ts'
import { HANDLERS, IMPLEMENTATION_VERSION_NAME, LIMITS, TIMEOUTS } from './option-rules.ts'
import type { FieldsOf } from './option-rules.ts'
import type { Problems, Rule } from './rules.ts'
import { boolean, integer, listOf, objectOf, oneOf, text, value } from './rules.ts'

/** PS3.8 9.3.2: presentation context IDs are odd and 1 to 255. */
const MAXIMUM_CONTEXTS = 128
/** A user information item has at most this much in it (PS3.7 D.3.3). */
const UNSIGNED_16 = 0xffff

const anything = <T>(): Rule<T> => ({ schema: {}, parse: (candidate) => candidate as T })

const bytes = (): Rule<Uint8Array> =>
  value('bytes', {}, (candidate) => (candidate instanceof Uint8Array ? candidate : undefined))

/** Never shown in a message: these are secrets. */
const field = (): Rule<string | Uint8Array> => ({
  schema: {},
  parse(candidate, path, problems) {
    const length = typeof candidate === 'string' ? Buffer.byteLength(candidate) : candidate instanceof Uint8Array ? candidate.length : 0
    if (length >= 1 && length <= UNSIGNED_16) return candidate as string | Uint8Array
    problems.push(`${path}: must be text or bytes, 1 to ${UNSIGNED_16} of them`)
    return undefined
  },
})

/** Hooks that are not about one association, or are asked before there is one. */
const NOT_OF_AN_ASSOCIATION: ReadonlySet<string> = new Set([
  ...HOOK_NAMES.filter((name) => HOOK_CATALOG[name].kind === 'lifecycle'),
  'hookFailed',
  'incomingConnection',
  'listenerOptions',
  'outgoingAssociation',
  'outgoingConnection',
])

const handlers = (): Rule<HookHandlers> => ({
  ...HANDLERS,
  parse(candidate, path, problems) {
    const parsed = HANDLERS.parse(candidate, path, problems)
    for (const name of Object.keys(parsed ?? {})) {
      if (NOT_OF_AN_ASSOCIATION.has(name)) problems.push(`${path}.${name}: is not asked for one association; bind it on the ApplicationEntity`)
    }
    return parsed
  },
})

const USER_IDENTITY: FieldsOf<UserIdentityOptions> = {
  type: value('1 to 5', {}, (candidate) => ([1, 2, 3, 4, 5] as const).find((type) => type === candidate)),
  primaryField: field(),
  secondaryField: field(),
  positiveResponseRequested: boolean(),
}

const ASSOCIATE: FieldsOf<AssociateOptions> = {
  host: text('an address or host name', /^[^\s/]+$/),
  port: integer(1, 65_535),
  calledAeTitle: aeTitle(),
  callingAeTitle: aeTitle(),
  implementationClassUid: uid(),
  implementationVersionName: IMPLEMENTATION_VERSION_NAME,
  contexts: listOf<RequestedContext>(requestedContext()),
  asynchronousOperations: objectOf({ invoked: integer(0, UNSIGNED_16), performed: integer(0, UNSIGNED_16) }, ['invoked', 'performed']),
  userIdentity: objectOf<UserIdentityOptions>(USER_IDENTITY, ['type', 'primaryField']),
  sopClassExtended: listOf(
    objectOf({ sopClassUid: uid(), serviceClassApplicationInformation: bytes(), type: anything() }, [
      'sopClassUid',
      'serviceClassApplicationInformation',
    ]),
  ),
  sopClassCommonExtended: listOf(
    objectOf(
      {
        sopClassUid: uid(),
        serviceClassUid: uid(),
        relatedGeneralSopClassUids: listOf(uid()),
        type: anything(),
        subItemVersion: anything(),
      },
      ['sopClassUid', 'serviceClassUid', 'relatedGeneralSopClassUids'],
    ),
  ),
  localAddress: text('an address', /^[^\s/]+$/),
  localPort: integer(0, 65_535),
  tls: anything(),
  timeouts: objectOf(TIMEOUTS),
  limits: objectOf(LIMITS),
  networkTimeoutAction: oneOf('abort', 'release'),
  handlers: handlers(),
  signal: value('an AbortSignal', {}, (candidate) => (candidate instanceof AbortSignal ? candidate : undefined)),
}

const rule = objectOf<AssociateOptions>(ASSOCIATE, ['host', 'port'])

/**
 * Checks what `associate` was given.
 * @throws DICOMTAP_ERR_ACSE_REQUEST with one line per bad option; secrets are not in it.
 */
export function parseAssociateOptions(input: unknown): AssociateOptions {
  const problems: Problems = []
  if (typeof input !== 'object' || input === null) throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', 'associate() takes an object of options')
  const parsed = rule.parse(input, '', problems)
  if (parsed !== undefined) {
    checkContexts(parsed.contexts ?? [], problems)
    if (parsed.userIdentity !== undefined) checkUserIdentity(parsed.userIdentity, problems)
  }
  if (parsed === undefined || problems.length > 0) throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', problems.join('\n'))
  return parsed
}

/**
 * Checks contexts to propose.
 * @throws DICOMTAP_ERR_ACSE_REQUEST with one line per problem.
 */
export function parseRequestedContexts(input: unknown): readonly RequestedContext[] {
  const problems: Problems = []
  const contexts = listOf<RequestedContext>(requestedContext()).parse(input, 'contexts', problems) ?? []
  checkContexts(contexts, problems)
  if (problems.length > 0) throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', problems.join('\n'))
  return contexts
}

/** PS3.7 D.3.3.7.1: the secondary field is the passcode, and only type 2 has one. */
function checkUserIdentity({ type, secondaryField }: UserIdentityOptions, problems: Problems): void {
  if (type === 2 && secondaryField === undefined) problems.push('userIdentity.secondaryField: is missing, type 2 has a passcode')
  if (type !== 2 && secondaryField !== undefined) problems.push('userIdentity.secondaryField: only type 2 has a passcode')
}

/** Lines about contexts that no A-ASSOCIATE-RQ can hold. */
function checkContexts(contexts: readonly (RequestedContext | undefined)[], problems: Problems): void {
  if (contexts.length > MAXIMUM_CONTEXTS) {
    problems.push(`contexts: at most ${MAXIMUM_CONTEXTS} fit an association, got ${contexts.length}`)
  }
  const roles = new Map<string, string>()
  for (const [index, context] of contexts.entries()) {
    if (context?.roles === undefined) continue
    const { scu, scp } = context.roles
    if (!scu && !scp) problems.push(`contexts[${index}].roles: one of scu and scp must be true`)
    const wanted = `${scu} ${scp}`
    const other = roles.get(context.abstractSyntax)
    if (other !== undefined && other !== wanted) {
      problems.push(`contexts[${index}].roles: another context of ${context.abstractSyntax} proposes other roles`)
    }
    roles.set(context.abstractSyntax, wanted)
  }
}
