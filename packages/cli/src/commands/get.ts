import { DicomtapError } from '@dicomtap/framework'
import { cancelling } from '../query/cancelling.ts'
import { extendedNegotiation, refusedWishes } from '../query/extended-negotiation.ts'
import { partlyLost } from '../query/lost.ts'
import { prepareQuery } from '../query/prepare.ts'
import { receiveHere } from '../query/receive-here.ts'
import type { GetOptions } from '../query/register.ts'
import { reportRetrieval } from '../query/report-retrieval.ts'
import { followRetrieval } from '../query/retrieve.ts'
import { storageContexts } from '../query/storage-contexts.ts'
import { openAssociation } from '../scu/connect.ts'
import type { ScuContext } from '../scu/connect.ts'
import type { Target } from '../scu/options.ts'
import { runScu } from '../scu/run.ts'
import { transferSyntaxUids } from '../scu/transfer-syntaxes.ts'

/** After the C-CANCEL of a limit; a server that goes on sending after that is aborted. */
const CANCEL_GRACE_MS = 10_000

/** Retrieves objects over the same association into a folder. */
export async function get(target: Target, keys: readonly string[], options: GetOptions): Promise<number> {
  return runScu(options, async (context) => {
    const { reporter, interrupts } = context
    const { uid, model, identifier, remarks } = await prepareQuery('get', keys, options)
    const contexts = storageContexts(model, options.storageClasses, transferSyntaxUids(options.transferSyntax))
    const received = await receiveHere(options, context)
    const { receiver } = received
    for (const remark of remarks) reporter.note(remark)
    const request = {
      contexts: [{ abstractSyntax: uid }, ...contexts],
      ...extendedNegotiation('get', uid, options),
      handlers: { cStore: receiver.store },
    }
    const { association, close } = await openAssociation(target, options, request, context)
    try {
      const refused = refusedWishes('get', uid, options, association)
      if (refused.length > 0) reporter.note(`The server does not offer: ${refused.join(', ')}.`)
      if (!association.acceptedContexts.some(({ asScp }) => asScp)) {
        adviseOnContexts(context)
        throw new DicomtapError('DICOMTAP_ERR_ACSE_CONTEXT', 'The server accepts no storage SOP class in this direction: nothing could arrive')
      }
      const cancel = cancelling(interrupts, received.budget.reached)
      received.budget.reached.addEventListener('abort', () => setTimeout(() => association.abort(), CANCEL_GRACE_MS).unref())
      const responses = association.cGet(identifier, { model: uid, signal: cancel.signal })
      const outcome = await followRetrieval(responses, receiver, cancel, options.cancelAfter, context)
      const code = reportRetrieval(outcome, received, context)
      if ((outcome?.failed ?? 0) > receiver.failed && options.json !== true) adviseOnContexts(context)
      return code
    } catch (error) {
      return partlyLost(error, receiver.received + receiver.kept, received, context)
    } finally {
      await close()
    }
  })
}

function adviseOnContexts({ reporter }: ScuContext): void {
  const hint = 'the server may hold them in SOP classes or transfer syntaxes that were not asked for: see --storage-classes and --transfer-syntax'
  reporter.warn(`${reporter.paint.err('cyan', 'hint')}: ${hint}`)
}
