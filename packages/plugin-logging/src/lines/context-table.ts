import { sopClassByUid, transferSyntaxByUid } from '@dicomtap/framework'
import type { AcceptedContext, Association, ContextResult, ProposedContext, RejectedContext } from '@dicomtap/framework'

/** Result/Reason of PS3.8 table 9-18, in words. */
const RESULTS: Readonly<Record<ContextResult, string>> = {
  0: 'accepted',
  1: 'refused: user rejection',
  2: 'refused: no reason given',
  3: 'refused: SOP class not supported',
  4: 'refused: no transfer syntax in common',
}

/** One proposed context and what became of it. */
export interface ContextRow {
  readonly id: number
  readonly abstractSyntax: string
  /** Proposed; of an accepted context also the chosen one, below. */
  readonly transferSyntaxes: readonly string[]
  readonly result: ContextResult
  readonly transferSyntax?: string
  readonly roles?: string
}

type Negotiated = Pick<Association, 'proposedContexts' | 'acceptedContexts' | 'rejectedContexts'>

/** The proposed contexts in order of their ids, with the outcome. */
export function contextRows({ proposedContexts, acceptedContexts, rejectedContexts }: Negotiated): ContextRow[] {
  const accepted = new Map(acceptedContexts.map((context) => [context.id, context]))
  const rejected = new Map(rejectedContexts.map((context) => [context.id, context]))
  return proposedContexts.map((proposed) => contextRow(proposed, accepted.get(proposed.id), rejected.get(proposed.id)))
}

function contextRow(proposed: ProposedContext, accepted: AcceptedContext | undefined, rejected: RejectedContext | undefined): ContextRow {
  const { id, abstractSyntax, transferSyntaxes } = proposed
  const common = { id, abstractSyntax, transferSyntaxes }
  if (accepted === undefined) return { ...common, result: rejected?.result ?? 2 }
  return { ...common, result: 0, transferSyntax: accepted.transferSyntax, roles: rolesInWords(accepted) }
}

/** The rows as lines of a table; names where the standard has them, else UIDs. */
export function contextTable(rows: readonly ContextRow[]): string[] {
  const cells = rows.map((row) => [
    String(row.id),
    sopClassName(row.abstractSyntax),
    row.result === 0 ? `accepted${row.roles === '' ? '' : ` ${row.roles}`}` : RESULTS[row.result],
    row.transferSyntax === undefined ? row.transferSyntaxes.map(transferSyntaxName).join(', ') : transferSyntaxName(row.transferSyntax),
  ])
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0), 0))
  return cells.map(([id = '', name = '', result = '', syntaxes = '']) =>
    [id.padStart(widths[0] ?? 0), name.padEnd(widths[1] ?? 0), result.padEnd(widths[2] ?? 0), syntaxes].join('  ').trimEnd(),
  )
}

export function sopClassName(uid: string): string {
  return sopClassByUid(uid)?.name ?? uid
}

function transferSyntaxName(uid: string): string {
  return transferSyntaxByUid(uid)?.name ?? uid
}

/** Empty for the default roles: this side is the SCP. */
function rolesInWords({ asScu, asScp }: AcceptedContext): string {
  if (asScu) return asScp ? '(SCU and SCP)' : '(SCU)'
  return asScp ? '' : '(no role)'
}
