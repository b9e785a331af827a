import { inspect } from 'node:util'
import { ContextResult } from './acse/types.ts'
import type { RejectedContext, RequestedContext, SupportedContext } from './acse/types.ts'
import type { ApplicationEntity } from './application-entity.ts'
import type { AssociationServer } from './association-server.ts'
import type { Association } from './association/association.ts'
import { DEFAULT_TRANSFER_SYNTAXES, sopClassByUid, transferSyntaxByUid } from './dataset/index.ts'

// What people see of the objects that they hold: String(ae), console.log(association). Neither options of
// plugins nor anything out of a data set is in it.

const WIDTH = 100

/** Makes `console.log` show the objects of a class as `describe` says. In a class declaration no method can have this name. */
export function printsAs<T extends object>(prototype: T, describe: (object: T, depth: number) => string): void {
  Object.defineProperty(prototype, inspect.custom, {
    value(this: T, depth: number) {
      return describe(this, depth)
    },
  })
}

/** Titles, listeners, contexts, time-outs, limits, who may associate, and who does; on several lines. */
export function describeApplicationEntity(ae: ApplicationEntity): string {
  const { config, timeouts, limits, activeAssociations } = ae
  const requested = activeAssociations.filter(({ role }) => role === 'requestor')
  return [
    `Application entity ${printable(ae.aeTitle)}${ae.isClosing ? ', closing' : ''}`,
    ...field('implementation', [[ae.implementationClassUid, ae.implementationVersionName].filter((one) => one !== null).join(' ')]),
    ...field('listeners', ae.servers.map(describeServer)),
    ...contexts('supported contexts', ae.supportedContexts, 'the peer may be'),
    ...contexts('requested contexts', ae.requestedContexts, 'as'),
    ...field('time-outs', wrapped(Object.entries(timeouts).map(([name, ms]) => `${name} ${ms ?? 'none'}`))),
    ...field('limits', wrapped(Object.entries(limits).map(([name, value]) => `${name} ${value}`))),
    ...field('called AE title', [config.requireCalledAeTitle === true ? `${printable(ae.aeTitle)} only` : 'any']),
    ...field('calling AE titles', wrapped((config.requireCallingAeTitles ?? []).map(printable)), 'any'),
    ...field('user identity', [config.requireUserIdentity === true ? 'required' : 'not required']),
    ...field('associations', [
      `${activeAssociations.length - requested.length} of ${limits.maximumAssociations} by peers, ${requested.length} by this side`,
      ...activeAssociations.map(describeAssociation),
    ]),
  ].join('\n')
}

/** One line: title, address, whether it is open, and what it has. */
export function describeServer(server: AssociationServer): string {
  const { aeTitle, host, port, isListening, activeAssociations, contexts } = server
  const counts = `${count(contexts.length, 'context')}, ${count(activeAssociations.length, 'association')}`
  return `Listener ${printable(aeTitle)} at ${address(host, port)}: ${isListening ? 'open' : 'not open'}, ${counts}`
}

/** One line: titles, role of this side, state, peer, and how many contexts were accepted. */
export function describeAssociation(association: Association): string {
  const { id, role, state, callingAeTitle, calledAeTitle, acceptedContexts, proposedContexts } = association
  const titles = association.request === undefined ? '' : ` ${printable(callingAeTitle)} -> ${printable(calledAeTitle)}`
  const peer = address(association.remoteAddress, association.remotePort)
  const negotiated = association.accept === undefined ? '' : `, ${acceptedContexts.length} of ${count(proposedContexts.length, 'context')}`
  return `Association ${id}${titles}, ${role}, ${state}, peer ${peer}${negotiated}`
}

/** As {@link describeAssociation}, and a line for each context; none where it stands deep inside something else. */
export function describeNegotiation(association: Association, depth: number): string {
  if (depth < 0) return describeAssociation(association)
  const accepted = association.acceptedContexts.map(({ id, abstractSyntax, transferSyntax, asScu, asScp }) => {
    return { id, line: `${sopClassName(abstractSyntax)}: ${transferSyntaxName(transferSyntax)}, as ${roleNames(asScu, asScp)}` }
  })
  const rejected = association.rejectedContexts.map(({ id, abstractSyntax, result }) => {
    return { id, line: `${sopClassName(abstractSyntax)}: rejected, ${RESULTS[result] ?? `result ${String(result)}`}` }
  })
  const lines = [...accepted, ...rejected].sort((one, other) => one.id - other.id).map(({ id, line }) => `  ${id} ${line}`)
  return [describeAssociation(association), ...lines].join('\n')
}

const RESULTS: Readonly<Record<RejectedContext['result'], string>> = {
  [ContextResult.Acceptance]: 'acceptance',
  [ContextResult.UserRejection]: 'user rejection',
  [ContextResult.NoReason]: 'no reason',
  [ContextResult.AbstractSyntaxNotSupported]: 'abstract syntax not supported',
  [ContextResult.TransferSyntaxesNotSupported]: 'transfer syntaxes not supported',
}

/** Contexts with the same transfer syntaxes and roles stand together: an archive has hundreds. */
function contexts(name: string, list: readonly (SupportedContext | RequestedContext)[], roleWords: string): string[] {
  const groups = new Map<string, string[]>()
  for (const { abstractSyntax, transferSyntaxes = DEFAULT_TRANSFER_SYNTAXES, roles } of list) {
    const words = transferSyntaxes.map(transferSyntaxName).join(', ')
    const key = roles === undefined ? words : `${words}; ${roleWords} ${roleNames(roles.scu, roles.scp)}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [sopClassName(abstractSyntax)])
    else group.push(sopClassName(abstractSyntax))
  }
  const lines = [...groups].flatMap(([key, names]) => [...wrapped(names), `  ${key}`])
  return lines.length === 0 ? field(name, []) : [`  ${name}: ${list.length}`, ...lines.map((line) => `    ${line}`)]
}

/** One value behind its name, several below it. */
function field(name: string, values: readonly string[], none = 'none'): string[] {
  const [first = none, ...rest] = values
  return rest.length === 0 ? [`  ${name}: ${first}`] : [`  ${name}:`, ...values.map((value) => `    ${value}`)]
}

/** A list in lines that are not too long. */
function wrapped(items: readonly string[]): string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    const isFull = last !== undefined && last.length + item.length + 2 > WIDTH
    if (last !== undefined) lines[lines.length - 1] = isFull ? `${last},` : `${last}, ${item}`
    if (last === undefined || isFull) lines.push(item)
  }
  return lines
}

function sopClassName(uid: string): string {
  return sopClassByUid(uid)?.name ?? printable(uid)
}

function transferSyntaxName(uid: string): string {
  return transferSyntaxByUid(uid)?.keyword ?? printable(uid)
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function roleNames(scu: boolean, scp: boolean): string {
  if (!scu && !scp) return 'neither SCU nor SCP'
  return [...(scu ? ['SCU'] : []), ...(scp ? ['SCP'] : [])].join(' and ')
}

/** A peer chooses some of the text: it must not steer the terminal, or pass for a line of its own. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\p{Bidi_Control}]/gu, '?')
}
