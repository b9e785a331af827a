import { decodeDataSet, Stage } from '@dicomtap/framework'
import type { DataSet, FindMatch, HookFacade, Operation } from '@dicomtap/framework'
import type { LogWriter } from '../log-writer.ts'
import { statusInHex } from '../words.ts'
import { sopClassName } from './context-table.ts'
import { identifierLines, presentableIdentifier } from './identifier.ts'
import type { LoggedIdentifier } from './identifier.ts'

export interface IdentifierLineOptions {
  readonly requestIdentifiers: boolean
  readonly responseIdentifiers: boolean
}

const PENDING = 0xff00

/** What peers ask for and what they are answered, which is patient data: one line for each, where that was asked for. */
export function logIdentifiers(hooks: HookFacade, writer: LogWriter, { requestIdentifiers, responseIdentifiers }: IdentifierLineOptions): void {
  const isEnabled = (): boolean => writer.isEnabled('info', 'dimse')
  const write = (operation: Operation, what: string, event: string, identifier: LoggedIdentifier, fields: Record<string, unknown> = {}): void => {
    const { association, messageId, service, sopClassUid } = operation
    writer.writeOwn({
      level: 'info',
      area: 'dimse',
      message: `${service} ${sopClassName(sopClassUid)}: ${what}`,
      fields: { association: association.id, messageId, event, callingAeTitle: association.callingAeTitle, service, sopClassUid, ...fields, identifier },
      details: identifierLines(identifier),
      isSentence: true,
    })
  }

  if (requestIdentifiers) {
    // First: as the peer sent it, whatever others make of it.
    hooks.findIdentifier.tap({ stage: Stage.Guard }, (identifier, operation) => {
      if (isEnabled()) write(operation, 'identifier of the request', 'operation.identifier', presentableIdentifier(identifier))
      return identifier
    })
  }
  if (responseIdentifiers) {
    const counts = new WeakMap<Operation, number>()
    // Last: as the peer gets it.
    hooks.findMatch.tapPromise({ stage: Stage.Fallback }, async (match, operation) => {
      if (!isEnabled()) return match
      const number = (counts.get(operation) ?? 0) + 1
      counts.set(operation, number)
      const identifier = await readable(match, operation)
      write(operation, `match ${number}`, 'operation.match', identifier, { match: number, status: statusInHex(match.status ?? PENDING) })
      return match
    })
  }
}

async function readable({ identifier }: FindMatch, { context }: Operation): Promise<LoggedIdentifier> {
  if (!(identifier instanceof Uint8Array)) return presentableIdentifier(identifier as DataSet)
  try {
    return presentableIdentifier(await decodeDataSet(identifier, context.transferSyntax))
  } catch {
    return { '...': `${identifier.byteLength} bytes that cannot be decoded` }
  }
}
