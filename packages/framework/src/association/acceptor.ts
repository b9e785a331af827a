import { admissionRejection } from '../acse/admission.ts'
import { checkedIdentityAnswer, checkedItems, checkedRoles, checkedWindow } from '../acse/answers.ts'
import { contextResults, negotiateContexts } from '../acse/negotiate-contexts.ts'
import { REJECTIONS } from '../acse/rejections.ts'
import type { AcceptedContext, OperationsWindow, RejectedContext, Rejection, RoleSelection } from '../acse/types.ts'
import {
  asynchronousOperationsOf,
  rolesOf,
  sopClassCommonExtendedOf,
  sopClassExtendedOf,
  userIdentityOf,
} from '../acse/user-information.ts'
import { narrowerWindow, SYNCHRONOUS } from '../acse/window.ts'
import { ask, transform } from '../hooks/run.ts'
import type { AssociationRequestInfo, HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import { encodePdu } from '../pdu/encode.ts'
import { APPLICATION_CONTEXT_NAME } from '../pdu/types.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import type {
  AsynchronousOperationsWindow,
  SopClassCommonExtended,
  SopClassExtended,
  UserIdentityRequest,
  UserItem,
} from '../pdu/user-items/types.ts'
import { ownItems } from './association-user.ts'
import type { AssociationRegistry } from './registry.ts'
import { checkedSettings } from './settings.ts'
import type { AssociationSettings } from './settings.ts'

export interface Acceptance {
  readonly accept: AAssociateAc
  /** The same, encoded. */
  readonly bytes: Buffer
  readonly accepted: readonly AcceptedContext[]
  readonly rejected: readonly RejectedContext[]
  readonly commonExtended: readonly SopClassCommonExtended[]
  /** As the requestor sees it (PS3.7 D.3.3.3): how many operations it may invoke, and perform. */
  readonly window: OperationsWindow
}

export type Decision = { readonly rejection: Rejection; readonly why: string } | Acceptance

export interface AcceptorContext {
  readonly settings: AssociationSettings
  readonly hooks: HookTable
  log(): Logger
  readonly registry: AssociationRegistry
  /** Makes what was decided for this peer hold. */
  adopt(settings: AssociationSettings): void
}

/** Maximum length and implementation class UID (PS3.7 D.3.3.1, D.3.3.2). */
const MANDATORY_ITEMS: readonly number[] = [0x51, 0x52]
/** A handler that should have decided failed: not to let the peer in is the safe answer. */
const HANDLER_FAILED: Rejection = { result: 2, source: 1, reason: 1 }

/** Checks that need nobody's answer; the first failure ends them (PS3.8 9.3.4). */
export function admit(request: AAssociateRq, { settings, registry }: Pick<AcceptorContext, 'settings' | 'registry'>): { rejection: Rejection; why: string } | undefined {
  return admissionRejection(request, {
    aeTitle: settings.aeTitle,
    requireCalledAeTitle: settings.requireCalledAeTitle,
    requireCallingAeTitles: settings.requireCallingAeTitles,
    isClosing: registry.isClosing,
    isOverAssociationLimit: registry.isOverAssociationLimit(settings.limits.maximumAssociations),
  })
}

const NO_PROPOSALS: readonly never[] = []
const NO_IDENTITY: { readonly items: readonly UserItem[] } = { items: NO_PROPOSALS }
const NOTHING_EXTENDED: Extended = { items: NO_PROPOSALS, window: SYNCHRONOUS }

/**
 * Decides on an admitted A-ASSOCIATE-RQ: asks the hooks, negotiates, builds the A-ASSOCIATE-AC. What nobody is asked about
 * is decided at once.
 */
export async function decide(info: AssociationRequestInfo, general: AcceptorContext): Promise<Decision> {
  const { hooks } = general
  const { request } = info
  if (hooks.associationRequest.taps.length > 0) {
    const refused = await refusalByHooks('associationRequest', info, general)
    if (refused !== undefined) return refused
  }
  const settings = hooks.associationSettings.taps.length === 0 ? general.settings : await settingsByHooks(info, general)
  if (settings === undefined) return { rejection: HANDLER_FAILED, why: 'a handler of associationSettings failed' }
  const context = settings === general.settings ? general : { ...general, settings }
  const proposedIdentity = userIdentityOf(request.userInformation)
  const isIdentified = proposedIdentity !== undefined || settings.requireUserIdentity
  const identity = isIdentified ? await verifyIdentity(proposedIdentity, info, context) : NO_IDENTITY
  if ('rejection' in identity) return identity
  if (hooks.authorization.taps.length > 0) {
    const unauthorized = await refusalByHooks('authorization', info, context)
    if (unauthorized !== undefined) return unauthorized
  }

  const proposedRoles = rolesOf(request.userInformation)
  const roleAnswers =
    proposedRoles.length === 0
      ? NO_PROPOSALS
      : await inRounds(context, proposedRoles, (rest) => ask(hooks.roleSelection, rest, info), checkedRoles)
  const proposedCommonExtended = sopClassCommonExtendedOf(request.userInformation)
  const commonExtended =
    proposedCommonExtended.length === 0 ? NO_PROPOSALS : await acceptedCommonExtended(proposedCommonExtended, info, context)
  const negotiation = negotiateContexts(request.presentationContexts, proposedRoles, {
    supportedContexts: settings.supportedContexts,
    commonExtended: bySopClass(commonExtended),
    unrestrictedStorage: settings.unrestrictedStorage,
    roleAnswers: bySopClass(roleAnswers.map(({ sopClassUid, scuRole: scu, scpRole: scp }) => ({ sopClassUid, scu, scp }))),
  })
  const isReviewed = hooks.acceptedContexts.taps.length > 0
  const accepted = isReviewed ? await acceptedByHooks(negotiation.accepted, info, context) : negotiation.accepted
  if (accepted === undefined) return { rejection: HANDLER_FAILED, why: 'a handler of acceptedContexts failed' }
  if (accepted.length === 0 && settings.rejectWhenNoContext) {
    return { rejection: REJECTIONS.noContext, why: 'no presentation context is acceptable' }
  }
  const proposedWindow = asynchronousOperationsOf(request.userInformation)
  const proposedExtended = sopClassExtendedOf(request.userInformation)
  const extended =
    proposedWindow === undefined && proposedExtended.length === 0
      ? NOTHING_EXTENDED
      : await negotiateExtended(proposedWindow, proposedExtended, info, context)
  const accept: AAssociateAc = {
    type: 'A-ASSOCIATE-AC',
    protocolVersion: 1,
    calledAeTitle: request.calledAeTitle,
    callingAeTitle: request.callingAeTitle,
    ...(request.titlesAsSent === undefined ? undefined : { titlesAsSent: request.titlesAsSent }),
    applicationContextName: APPLICATION_CONTEXT_NAME,
    presentationContexts: contextResults(request.presentationContexts, accepted, negotiation.rejected),
    userInformation: answeredItems(settings, [...ownItems(settings), ...roleItems(negotiation.roles, accepted), ...extended.items, ...identity.items]),
  }
  // Each item fits; all of them together may not: a user information item has at most 65535 bytes.
  const bytes = encoded(accept)
  if (bytes === undefined) return { rejection: HANDLER_FAILED, why: 'the answers of handlers do not fit an A-ASSOCIATE-AC' }
  return {
    accept,
    bytes,
    accepted,
    rejected: accepted === negotiation.accepted ? negotiation.rejected : [...negotiation.rejected, ...takenAway(negotiation.accepted, accepted)],
    commonExtended,
    window: extended.window,
  }
}

/** The items without those that this peer cannot bear. */
function answeredItems({ omittedUserItems }: AssociationSettings, items: readonly UserItem[]): readonly UserItem[] {
  if (omittedUserItems.length === 0) return items
  return items.filter(({ type }) => !omittedUserItems.includes(type) || MANDATORY_ITEMS.includes(type))
}

/** What handlers of `acceptedContexts` did not leave among them. */
function takenAway(negotiated: readonly AcceptedContext[], accepted: readonly AcceptedContext[]): RejectedContext[] {
  const acceptedIds = new Set(accepted.map((item) => item.id))
  return negotiated.filter((item) => !acceptedIds.has(item.id)).map(({ id, abstractSyntax }) => ({ id, abstractSyntax, result: 1 }))
}

const NONE_BY_SOP_CLASS: ReadonlyMap<string, never> = new Map<string, never>()

function bySopClass<T extends { readonly sopClassUid: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return items.length === 0 ? NONE_BY_SOP_CLASS : new Map(items.map((item) => [item.sopClassUid, item]))
}

function encoded(accept: AAssociateAc): Buffer | undefined {
  try {
    return encodePdu(accept)
  } catch {
    return undefined
  }
}

async function refusalByHooks(
  hook: 'associationRequest' | 'authorization',
  info: AssociationRequestInfo,
  { hooks }: AcceptorContext,
): Promise<Decision | undefined> {
  try {
    const rejection = await ask(hooks[hook], info)
    if (rejection === undefined) return undefined
    const { why = `a handler of ${hook} refused it`, ...triple } = rejection
    return { rejection: triple, why }
  } catch {
    return { rejection: HANDLER_FAILED, why: `a handler of ${hook} failed` }
  }
}

/** What holds for this peer; undefined: a handler failed. */
async function settingsByHooks(
  info: AssociationRequestInfo,
  { hooks, settings, adopt }: AcceptorContext,
): Promise<AssociationSettings | undefined> {
  try {
    const answer = checkedSettings(await transform(hooks.associationSettings, settings, info))
    adopt(answer)
    return answer
  } catch {
    return undefined
  }
}

async function verifyIdentity(
  identity: UserIdentityRequest | undefined,
  info: AssociationRequestInfo,
  { hooks, settings }: AcceptorContext,
): Promise<{ readonly items: readonly UserItem[] } | { readonly rejection: Rejection; readonly why: string }> {
  if (identity === undefined) {
    if (!settings.requireUserIdentity) return { items: [] }
    return { rejection: REJECTIONS.userIdentity, why: 'no user identity was given, requireUserIdentity is set' }
  }
  try {
    const answer = await ask(hooks.userIdentity, identity, info)
    if (answer === undefined) {
      if (!settings.requireUserIdentity) return { items: [] }
      return { rejection: REJECTIONS.userIdentity, why: 'no handler verified the user identity, requireUserIdentity is set' }
    }
    const { verified, response, rejection } = checkedIdentityAnswer(answer)
    if (!verified) return { rejection: rejection ?? REJECTIONS.userIdentity, why: 'the user identity was refused' }
    if (!identity.positiveResponseRequested) return { items: [] }
    // PS3.7 D.3.3.7.2: types 1 and 2 are answered with an empty response, the others with the server's token.
    const hasToken = identity.userIdentityType > 2 && response !== undefined
    return { items: [{ type: 0x59, serverResponse: hasToken ? response : new Uint8Array(0) }] }
  } catch {
    return { rejection: REJECTIONS.userIdentity, why: 'a handler of userIdentity failed' }
  }
}

async function acceptedByHooks(
  accepted: readonly AcceptedContext[],
  info: AssociationRequestInfo,
  { hooks }: AcceptorContext,
): Promise<readonly AcceptedContext[] | undefined> {
  try {
    const answer = await transform(hooks.acceptedContexts, accepted, info)
    // A handler may take contexts away or change their roles, not add what was not negotiated.
    const kept = new Map(answer.map(({ id, asScu, asScp }) => [id, { asScu, asScp }]))
    return accepted.flatMap((context) => {
      const roles = kept.get(context.id)
      return roles === undefined ? [] : [{ ...context, ...roles }]
    })
  } catch {
    return undefined
  }
}

interface Extended {
  readonly items: readonly UserItem[]
  readonly window: OperationsWindow
}

async function negotiateExtended(
  proposedWindow: AsynchronousOperationsWindow | undefined,
  extended: readonly SopClassExtended[],
  info: AssociationRequestInfo,
  context: AcceptorContext,
): Promise<Extended> {
  const { hooks, settings } = context
  const items: UserItem[] = []
  let window = SYNCHRONOUS
  // What is not answered was not negotiated.
  if (proposedWindow !== undefined && !settings.omittedUserItems.includes(0x53)) {
    const answer = await optional(context, () => ask(hooks.asyncOperations, proposedWindow, info), checkedWindow)
    if (answer !== undefined) {
      window = narrowerWindow(answer, proposedWindow)
      items.push({
        type: 0x53,
        maximumNumberOperationsInvoked: window.invoked,
        maximumNumberOperationsPerformed: window.performed,
      })
    }
  }
  const check = (answer: readonly SopClassExtended[]): readonly SopClassExtended[] => checkedItems('sopClassExtended', 0x56, answer)
  items.push(...(await inRounds(context, extended, (rest) => ask(hooks.sopClassExtended, rest, info), check)))
  return { items, window }
}

/** Asked before the contexts are negotiated: a specialized SOP class may be served as a general one (PS3.7 D.3.3.6). */
async function acceptedCommonExtended(
  proposed: readonly SopClassCommonExtended[],
  info: AssociationRequestInfo,
  context: AcceptorContext,
): Promise<readonly SopClassCommonExtended[]> {
  const check = (answer: readonly SopClassCommonExtended[]): readonly SopClassCommonExtended[] =>
    checkedItems('sopClassCommonExtended', 0x57, answer)
  return inRounds(context, proposed, (rest) => ask(context.hooks.sopClassCommonExtended, rest, info), check)
}

/**
 * Asks about proposals per SOP class until nobody answers for those that are left: each plugin answers for the
 * SOP classes that it serves.
 */
async function inRounds<T extends { readonly sopClassUid: string }>(
  context: AcceptorContext,
  proposals: readonly T[],
  question: (rest: readonly T[]) => Promise<readonly T[] | undefined>,
  check: (answer: readonly T[]) => readonly T[],
): Promise<readonly T[]> {
  const answers: T[] = []
  let rest = proposals
  while (rest.length > 0) {
    const asked = rest
    const answer = await optional(context, () => question(asked), check)
    if (answer === undefined) break
    answers.push(...answer)
    const answered = new Set(answer.map(({ sopClassUid }) => sopClassUid))
    rest = asked.filter(({ sopClassUid }) => !answered.has(sopClassUid))
    if (rest.length === asked.length) break
  }
  return answers
}

/** An answer that is not needed to go on: a handler that fails is a handler that did not answer. */
async function optional<T>(
  { log }: AcceptorContext,
  question: () => Promise<T | undefined>,
  check: (answer: T) => T,
): Promise<T | undefined> {
  try {
    const answer = await question()
    return answer === undefined ? undefined : check(answer)
  } catch (error) {
    log().warn('negotiated without an answer', { error })
    return undefined
  }
}

/** Role replies only for SOP classes with an accepted context (PS3.7 D.3.3.4.2). */
function roleItems(roles: readonly RoleSelection[], accepted: readonly AcceptedContext[]): readonly UserItem[] {
  if (roles.length === 0) return NO_PROPOSALS
  return roles
    .filter((role) => accepted.some((context) => context.abstractSyntax === role.sopClassUid))
    .map((role) => ({ type: 0x54, ...role }))
}
