import { endpoint } from '../output/endpoint.ts'
import { cancelling } from '../query/cancelling.ts'
import { extendedNegotiation, refusedWishes } from '../query/extended-negotiation.ts'
import { partlyLost } from '../query/lost.ts'
import { listenForMove } from '../query/move-listener.ts'
import type { MoveListener } from '../query/move-listener.ts'
import { prepareQuery } from '../query/prepare.ts'
import type { PreparedQuery } from '../query/prepare.ts'
import { receiveHere } from '../query/receive-here.ts'
import type { MoveOptions, ReceiveAddress } from '../query/register.ts'
import { reportRetrieval } from '../query/report-retrieval.ts'
import type { Received } from '../query/report-retrieval.ts'
import { followRetrieval } from '../query/retrieve.ts'
import { openAssociation } from '../scu/connect.ts'
import type { ScuContext } from '../scu/connect.ts'
import { UsageError } from '../scu/exit.ts'
import { DEFAULT_CALLING_AE_TITLE } from '../scu/options.ts'
import type { Target } from '../scu/options.ts'
import { runScu } from '../scu/run.ts'
import { transferSyntaxUids } from '../scu/transfer-syntaxes.ts'

/** After the final response nothing should be under way; a slow disk gets this long. */
const CLOSE_DEADLINE_MS = 10_000

const UNKNOWN_DESTINATION = 0xa801

/** The destination of the objects, when it is this command. */
interface Here extends Received {
  readonly listener: MoveListener
}

/** Has a server send objects to an AE, which with --receive is this command. */
export async function move(target: Target, keys: readonly string[], options: MoveOptions): Promise<number> {
  return runScu(options, async (context) => {
    const destination = destinationOf(options)
    const { maxBytes, maxObjects, receive, receiveFrom } = options
    if (receive === undefined && (maxBytes ?? maxObjects ?? receiveFrom) !== undefined) {
      throw new UsageError('--max-bytes, --max-objects and --receive-from are for what arrives here: they need --receive <port>')
    }
    const query = await prepareQuery('move', keys, options)
    const here = options.receive === undefined ? undefined : await listenHere(destination, options.receive, options, context)
    for (const remark of query.remarks) context.reporter.note(remark)
    try {
      return await moveTo(destination, here, target, query, options, context)
    } finally {
      await here?.listener.close(0)
    }
  })
}

async function listenHere(aeTitle: string, address: ReceiveAddress, options: MoveOptions, context: ScuContext): Promise<Here> {
  const received = await receiveHere(options, context)
  const listener = await listenForMove(aeTitle, address, received.receiver, {
    isDebug: options.debug === true,
    from: options.receiveFrom,
    onPeer: (peer, isWelcome) => context.reporter.note(isWelcome ? `receiving from ${peer}` : `refused: ${peer} (--receive-from)`),
  })
  const whom = options.receiveFrom === undefined ? 'anyone who calls that title' : options.receiveFrom.join(', ')
  context.reporter.note(`${aeTitle} listens on ${endpoint(address.host, listener.port)} for ${whom}`)
  context.interrupts.abort.addEventListener('abort', () => void listener.close(0), { once: true })
  return { ...received, listener }
}

async function moveTo(
  destination: string,
  here: Here | undefined,
  target: Target,
  { uid, identifier }: PreparedQuery,
  options: MoveOptions,
  context: ScuContext,
): Promise<number> {
  const { reporter, interrupts } = context
  const transferSyntaxes = transferSyntaxUids(options.transferSyntax)
  const request = {
    contexts: [{ abstractSyntax: uid, ...(transferSyntaxes === undefined ? {} : { transferSyntaxes }) }],
    ...extendedNegotiation('move', uid, options),
  }
  const { association, close } = await openAssociation(target, options, request, context)
  try {
    const refused = refusedWishes('move', uid, options, association)
    if (refused.length > 0) reporter.note(`The server does not offer: ${refused.join(', ')}.`)
    const cancel = cancelling(interrupts, here?.budget.reached)
    const responses = association.cMove(identifier, { model: uid, destination, signal: cancel.signal })
    const outcome = await followRetrieval(responses, here?.receiver, cancel, options.cancelAfter, context)
    await here?.listener.close(CLOSE_DEADLINE_MS)
    const code = reportRetrieval(outcome, here, context)
    if (outcome?.status === UNKNOWN_DESTINATION) adviseOnDestination(destination, context)
    return code
  } catch (error) {
    await here?.listener.close(CLOSE_DEADLINE_MS)
    return partlyLost(error, here === undefined ? 0 : here.receiver.received + here.receiver.kept, here, context)
  } finally {
    await close()
  }
}

function adviseOnDestination(destination: string, { reporter }: ScuContext): void {
  const hint = `the server must have ${destination} in its configuration, with host and port; AE titles are compared letter by letter`
  reporter.warn(`${reporter.paint.err('cyan', 'hint')}: ${hint}`)
}

function destinationOf({ destination, receive, calling, output, name, overwrite, ignore }: MoveOptions): string {
  if (receive === undefined && (output !== undefined || name !== undefined || overwrite === true || ignore === true)) {
    throw new UsageError('--output, --name, --overwrite and --ignore are for what arrives here: they need --receive <port>')
  }
  const title = destination ?? (receive === undefined ? undefined : (calling ?? DEFAULT_CALLING_AE_TITLE))
  if (title !== undefined) return title
  throw new UsageError('it does not say where the objects are to be sent: give --destination <title>, or --receive <port>')
}
