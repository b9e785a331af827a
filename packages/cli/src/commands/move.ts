import { cancelling } from '../query/cancelling.ts'
import { extendedNegotiation, refusedWishes } from '../query/extended-negotiation.ts'
import { listenForMove } from '../query/move-listener.ts'
import { prepareQuery } from '../query/prepare.ts'
import { receiveHere } from '../query/receive-here.ts'
import type { MoveOptions } from '../query/register.ts'
import { reportRetrieval } from '../query/report-retrieval.ts'
import { followRetrieval } from '../query/retrieve.ts'
import { endpoint } from '../output/endpoint.ts'
import { openAssociation } from '../scu/connect.ts'
import type { ScuContext } from '../scu/connect.ts'
import { UsageError } from '../scu/exit.ts'
import { DEFAULT_CALLING_AE_TITLE } from '../scu/options.ts'
import type { Target } from '../scu/options.ts'
import { runScu } from '../scu/run.ts'
import { transferSyntaxUids } from '../scu/transfer-syntaxes.ts'

/** After the final response nothing should be under way; a slow disk gets this long. */
const CLOSE_DEADLINE_MS = 10_000

/** Has a server send objects to an AE, which with --receive is this command. */
export async function move(target: Target, keys: readonly string[], options: MoveOptions): Promise<number> {
  return runScu(options, async (context) => {
    const destination = destinationOf(options)
    const { uid, identifier, remarks } = await prepareQuery('move', keys, options)
    const received = options.receive === undefined ? undefined : await receiveHere(options, context)
    const listener =
      received === undefined || options.receive === undefined
        ? undefined
        : await listenForMove(destination, options.receive, received.receiver, options.debug === true)
    if (listener !== undefined) {
      context.reporter.note(`${destination} listens on ${endpoint(options.receive?.host, listener.port)}`)
      context.interrupts.abort.addEventListener('abort', () => void listener.close(0), { once: true })
    }
    for (const remark of remarks) context.reporter.note(remark)
    try {
      const transferSyntaxes = transferSyntaxUids(options.transferSyntax)
      const request = {
        contexts: [{ abstractSyntax: uid, ...(transferSyntaxes === undefined ? {} : { transferSyntaxes }) }],
        ...extendedNegotiation('move', uid, options),
      }
      const { association, close } = await openAssociation(target, options, request, context)
      try {
        const refused = refusedWishes('move', uid, options, association)
        if (refused.length > 0) context.reporter.note(`The server does not offer: ${refused.join(', ')}.`)
        const cancel = cancelling(context.interrupts)
        const responses = association.cMove(identifier, { model: uid, destination, signal: cancel.signal })
        const outcome = await followRetrieval(responses, received?.receiver, cancel, options.cancelAfter, context)
        await listener?.close(CLOSE_DEADLINE_MS)
        const code = reportRetrieval(outcome, received, context)
        if (outcome?.status === UNKNOWN_DESTINATION) adviseOnDestination(destination, context)
        return code
      } finally {
        await close()
      }
    } finally {
      await listener?.close(0)
    }
  })
}

const UNKNOWN_DESTINATION = 0xa801

function adviseOnDestination(destination: string, { reporter }: ScuContext): void {
  reporter.warn(`${reporter.paint.err('cyan', 'hint')}: the server must have ${destination} in its configuration, with host and port; AE titles are compared letter by letter`)
}

function destinationOf({ destination, receive, calling, output, name, overwrite }: MoveOptions): string {
  if (receive === undefined && (output !== undefined || name !== undefined || overwrite === true)) {
    throw new UsageError('--output, --name and --overwrite are for what arrives here: they need --receive <port>')
  }
  const title = destination ?? (receive === undefined ? undefined : (calling ?? DEFAULT_CALLING_AE_TITLE))
  if (title === undefined) throw new UsageError('it does not say where the objects are to be sent: give --destination <title>, or --receive <port>')
  return title
}
