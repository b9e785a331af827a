import { ContextResult, sopClassByUid, transferSyntaxByUid } from '@dicomtap/framework'
import type { Association } from '@dicomtap/framework'
import { table } from '../output/terminal.ts'

const RESULTS: Readonly<Record<number, string>> = {
  [ContextResult.Acceptance]: 'accepted',
  [ContextResult.UserRejection]: 'user rejection',
  [ContextResult.NoReason]: 'no reason (provider rejection)',
  [ContextResult.AbstractSyntaxNotSupported]: 'abstract syntax not supported',
  [ContextResult.TransferSyntaxesNotSupported]: 'transfer syntaxes not supported',
}

/** A presentation context's result in the words of PS3.8 table 9-18. */
export function contextResultWords(result: number): string {
  return RESULTS[result] ?? `result ${result}`
}

/** The name of a SOP class, or its UID. */
export function sopClassName(uid: string): string {
  return printable(sopClassByUid(uid)?.name ?? uid)
}

/** The keyword of a transfer syntax, or its UID. */
export function transferSyntaxName(uid: string): string {
  return printable(transferSyntaxByUid(uid)?.keyword ?? uid)
}

/** For --verbose: whom this side is associated with, and what both agreed on, context by context. */
export function describeNegotiation(association: Association): string {
  const { acceptor, callingAeTitle, calledAeTitle, asynchronousOperations: window } = association
  const facts = [
    ['association', `${callingAeTitle} -> ${calledAeTitle} at ${association.remoteAddress}:${association.remotePort}`],
    ['peer', [acceptor?.implementationVersionName, acceptor?.implementationClassUid].filter((one) => one !== undefined).join(' ')],
    ['largest PDU', `${pduLength(acceptor?.maximumLength)} to the peer, ${pduLength(association.settings.limits.maximumPduBytes)} from it`],
    ['outstanding', window.invoked === 0 ? 'unlimited' : String(window.invoked)],
  ].map(([name = '', value = '']) => [name, printable(value)])
  return `${table(facts)}\n${table(contextRows(association), '  ')}`
}

function contextRows({ acceptedContexts, rejectedContexts }: Association): string[][] {
  return [
    ...acceptedContexts.map(({ id, abstractSyntax, transferSyntax }) => ({ id, abstractSyntax, words: `accepted, ${transferSyntaxName(transferSyntax)}` })),
    ...rejectedContexts.map(({ id, abstractSyntax, result }) => ({ id, abstractSyntax, words: `rejected, ${contextResultWords(result)}` })),
  ]
    .sort((one, other) => one.id - other.id)
    .map(({ id, abstractSyntax, words }) => [String(id), sopClassName(abstractSyntax), words])
}

function pduLength(bytes: number | undefined): string {
  return bytes === undefined || bytes === 0 ? 'unlimited' : `${bytes} bytes`
}

/** A peer chooses some of the text: it must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\p{Bidi_Control}]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
