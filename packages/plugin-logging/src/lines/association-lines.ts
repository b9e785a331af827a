import { describeAbort, describeRejection } from '@dicomtap/framework'
import type { Association, AssociationAbortedEvent, HookFacade, LogLevel } from '@dicomtap/framework'
import type { LogWriter } from '../log-writer.ts'
import type { LoggingOptions } from '../options.ts'
import { durationInWords, plural } from '../words.ts'
import { contextRows, contextTable } from './context-table.ts'
import { FloodCounter } from './flood-counter.ts'
import { isEchoOnly, tallyAsFields, tallyInWords } from './tally.ts'
import type { Tallies } from './tally.ts'

/** Of a scanner, by its address. */
const REFUSALS = { windowMs: 60_000, tellEveryMs: 60_000, linesPerSubject: 20, linesInAll: 200, maximumSubjects: 256 } as const

/**
 * One line when an association is accepted, one with its sum when it ends. What is refused to an address again and again
 * is counted: `endWindow` of the counter that is given back says the rest.
 */
export function logAssociations(
  hooks: HookFacade,
  writer: LogWriter,
  tallies: Tallies,
  { contexts: withContexts, healthChecks }: Pick<LoggingOptions, 'contexts' | 'healthChecks'>,
): FloodCounter<string> {
  const isHealthCheck = ({ role, callingAeTitle }: Association): boolean => role === 'acceptor' && healthChecks.includes(callingAeTitle)
  const refusals = new FloodCounter<string>(REFUSALS, (refused, address) => tellRefusals(writer, refused, address))
  const isFlood = (association: Association): boolean => {
    const address = plainAddress(association)
    return refusals.isFlood(address, address)
  }
  // Sentences are made for lines that are written.
  const write = (association: Association, level: LogLevel, event: string, sentence: () => string, more: () => Record<string, unknown>): void => {
    if (!writer.isEnabled(level, 'acse')) return
    writer.writeOwn({ level, area: 'acse', message: sentence(), fields: { ...identify(association, event), ...more() }, isSentence: true })
  }
  const writeContexts = (association: Association): void => {
    const rows = contextRows(association)
    if (rows.length === 0 || !writer.isEnabled('info', 'acse')) return
    writer.writeOwn({
      level: 'info',
      area: 'acse',
      message: `contexts proposed by ${partner(association)}:`,
      fields: { ...identify(association, 'association.contexts'), contexts: rows },
      details: contextTable(rows),
      isSentence: true,
    })
  }

  hooks.associationAccepted.tap(({ association }) => {
    const accepted = association.acceptedContexts.length
    const refused = association.rejectedContexts.length
    const contexts = (): string => (refused === 0 ? plural(accepted, 'context') : `${accepted} of ${plural(accepted + refused, 'context')}`)
    // Nothing can be done on an association without contexts: worth a look.
    const level = accepted === 0 ? 'warn' : isHealthCheck(association) ? 'debug' : 'info'
    const sentence = (): string => `association accepted: ${callerAndCalled(association)}, ${contexts()}${securityInWords(association)}`
    write(association, level, 'association.accepted', sentence, () => ({
      acceptedContexts: accepted,
      refusedContexts: refused,
      ...securityAsFields(association),
    }))
    if (withContexts && !isHealthCheck(association)) writeContexts(association)
  })

  hooks.associationRejected.tap(({ association, result, source, reason, why }) => {
    const words = (): string => describeRejection({ result, source, reason })
    const sentence = (): string => `association rejected: ${callerAndCalled(association)}: ${words()}${why === '' ? '' : ` (${why})`}`
    const level = association.role === 'acceptor' && isFlood(association) ? 'debug' : 'warn'
    write(association, level, 'association.rejected', sentence, () => ({ result, source, reason, why, ...securityAsFields(association) }))
  })

  hooks.associationReleased.tap(({ association }) => {
    // Anybody may call himself so: what did more than a health check has its line.
    const isRoutine = isHealthCheck(association) && association.operations.length === 0 && isEchoOnly(tallies.of(association))
    const sentence = (): string => ended(association, 'released', tallies)
    write(association, isRoutine ? 'debug' : 'info', 'association.released', sentence, () => sum(association, tallies))
  })

  hooks.associationAborted.tap(({ association, by, source, reason, message }) => {
    // Port scanners and load balancers: a connection that never asked for anything.
    const isAnonymous = association.request === undefined
    const sentence = (): string => {
      const how = { peer: 'aborted by the peer', local: 'aborted by this side', network: 'ended by the network' }[by]
      const why = abortInWords(by, source, reason, message)
      if (isAnonymous) return `connection ${how} before an association request: ${peerAddress(association)} (${why})`
      if (isUnanswered(association)) return `no association: ${callerAndCalled(association)}, ${how} (${why})`
      return ended(association, `${how} (${why})`, tallies)
    }
    const isQuiet = isAnonymous && (by !== 'local' || isFlood(association))
    write(association, isQuiet ? 'debug' : 'warn', 'association.aborted', sentence, () => ({
      by,
      source,
      reason,
      why: message,
      ...(isAnonymous ? {} : sum(association, tallies)),
    }))
  })
  return refusals
}

function tellRefusals(writer: LogWriter, refused: number, remoteAddress: string | undefined): void {
  const message = `${plural(refused, 'more connection')} of ${remoteAddress ?? 'other addresses'} refused within a minute`
  const fields = { event: 'association.refusals', refused, ...(remoteAddress === undefined ? {} : { remoteAddress }) }
  writer.writeOwn({ level: 'warn', area: 'acse', message, fields, isSentence: true })
}

/** This side asked for it and it never came to be. */
function isUnanswered({ role, acceptedContexts }: Association): boolean {
  return role === 'requestor' && acceptedContexts.length === 0
}

/** `, TLSv1.3, certificate CN=CT01`. */
function securityInWords({ security }: Association): string {
  if (security === undefined) return ''
  const { protocol, isAuthorized, peerCertificate } = security
  return `, ${protocol}${peerCertificate === undefined ? '' : `, ${isAuthorized ? '' : 'unverified '}certificate ${oneLine(peerCertificate.subject)}`}`
}

function securityAsFields({ security }: Association): Record<string, unknown> {
  if (security === undefined) return {}
  const { protocol, cipher, isAuthorized, peerCertificate } = security
  return {
    tlsProtocol: protocol,
    tlsCipher: cipher,
    ...(peerCertificate === undefined
      ? {}
      : { certificateSubject: oneLine(peerCertificate.subject), certificateSha256: peerCertificate.fingerprint256, isCertificateVerified: isAuthorized }),
  }
}

/** A certificate may have a hundred kilobytes of it. */
const LONGEST_SUBJECT = 200

/** Node puts each part of a subject on a line of its own; a certificate may have none. */
function oneLine(subject: string | undefined): string {
  if (subject === undefined || subject === '') return '(without a subject)'
  const line = subject.replaceAll('\n', ', ')
  return line.length > LONGEST_SUBJECT ? `${line.slice(0, LONGEST_SUBJECT)}...` : line
}

/** The standard's words for what was said on the wire; ours for what this side or the network did. */
function abortInWords(by: AssociationAbortedEvent['by'], source: number | undefined, reason: number, message: string | undefined): string {
  const words = describeAbort(source, reason)
  if (message === undefined || by === 'peer') return words
  return by === 'local' && source === 2 ? `${words}: ${message}` : message
}

function ended(association: Association, how: string, tallies: Tallies): string {
  const duration = durationInWords(Date.now() - association.openedAt.getTime())
  const unfinished = association.operations.length
  const rest = unfinished === 0 ? '' : `; ${unfinished} unfinished (${servicesOf(association)})`
  return `association ${how}: ${partner(association)}, ${duration}: ${tallyInWords(tallies.of(association))}${rest}`
}

/** `C-STORE`, `C-FIND, C-STORE`. */
function servicesOf({ operations }: Association): string {
  return [...new Set(operations.map(({ service }) => service))].join(', ')
}

function sum(association: Association, tallies: Tallies): Record<string, unknown> {
  const tally = tallies.of(association)
  return {
    durationMs: Date.now() - association.openedAt.getTime(),
    operations: tallyAsFields(tally),
    unfinishedOperations: association.operations.length,
    receivedBytes: tally.receivedBytes,
  }
}

function identify(association: Association, event: string): Record<string, unknown> {
  const { id, role, callingAeTitle, calledAeTitle, remotePort } = association
  return { association: id, event, role, callingAeTitle, calledAeTitle, remoteAddress: plainAddress(association), remotePort }
}

/** An IPv4 peer of a socket that takes both comes as `::ffff:10.0.4.17`. */
function plainAddress({ remoteAddress }: Association): string {
  return remoteAddress.replace(/^::ffff:(?=[\d.]+$)/i, '')
}

/** `10.0.4.17:51234`, `[2001:db8::1]:51234`. */
function peerAddress(association: Association): string {
  const address = plainAddress(association)
  return `${address.includes(':') ? `[${address}]` : address}:${association.remotePort}`
}

/** `CT01 (10.0.4.17:51234)`. */
function partner(association: Association): string {
  const { role, callingAeTitle, calledAeTitle } = association
  return `${quoted(role === 'acceptor' ? callingAeTitle : calledAeTitle)} (${peerAddress(association)})`
}

/** `CT01 (10.0.4.17:51234) to ARCHIVE`; of an association that this side asked for `ARCHIVE to PACS (10.0.4.2:104)`. */
function callerAndCalled(association: Association): string {
  const { role, callingAeTitle, calledAeTitle } = association
  return role === 'acceptor' ? `${partner(association)} to ${quoted(calledAeTitle)}` : `${quoted(callingAeTitle)} to ${partner(association)}`
}

/** Titles with spaces in them, or none at all, would read like words of the sentence. */
function quoted(aeTitle: string): string {
  return /^\S+$/.test(aeTitle) ? aeTitle : `'${aeTitle}'`
}
