import type { CFindResponse } from '@dicomtap/framework'
import { cancelling } from '../query/cancelling.ts'
import type { Cancelling } from '../query/cancelling.ts'
import { extendedNegotiation, refusedWishes } from '../query/extended-negotiation.ts'
import { partlyLost } from '../query/lost.ts'
import { matchOutput } from '../query/match-output.ts'
import { prepareQuery } from '../query/prepare.ts'
import type { PreparedQuery } from '../query/prepare.ts'
import type { FindOptions } from '../query/register.ts'
import { statusWords } from '../query/retrieval.ts'
import { isStdoutGone, stdoutDrained } from '../query/stdout-flow.ts'
import { printable } from '../query/text-width.ts'
import { createMatchWriter } from '../query/write-matches.ts'
import { openAssociation } from '../scu/connect.ts'
import type { ScuContext } from '../scu/connect.ts'
import { EXIT, UsageError } from '../scu/exit.ts'
import type { Target } from '../scu/options.ts'
import { runScu } from '../scu/run.ts'
import { transferSyntaxUids } from '../scu/transfer-syntaxes.ts'

const PENDING_WITH_WARNING = 0xff01

/** Queries a server and prints the matches. */
export async function find(target: Target, keys: readonly string[], options: FindOptions): Promise<number> {
  // Every line of stdout is a match: an error there would be taken for one.
  return runScu({ ...options, json: false }, async (context) => {
    const forms = [options.json, options.jsonDicom, options.csv, options.csvRaw, options.list].filter((isWanted) => isWanted === true)
    if (forms.length > 1) throw new UsageError('--json, --json-dicom, --csv, --csv-raw and --list exclude each other')
    const query = await prepareQuery('find', keys, options)
    const { uid } = query
    const transferSyntaxes = transferSyntaxUids(options.transferSyntax)
    const request = {
      contexts: [{ abstractSyntax: uid, ...(transferSyntaxes === undefined ? {} : { transferSyntaxes }) }],
      ...extendedNegotiation('find', uid, options),
    }
    for (const remark of query.remarks) context.reporter.note(remark)
    const open = await openAssociation(target, options, request, context)
    const refused = refusedWishes('find', uid, options, open.association)
    if (refused.length > 0) context.reporter.note(`The server does not offer: ${refused.join(', ')}.`)
    try {
      return await run(open.association, query, options, context)
    } finally {
      await open.close()
    }
  })
}

async function run(
  association: Awaited<ReturnType<typeof openAssociation>>['association'],
  query: PreparedQuery,
  options: FindOptions,
  context: ScuContext,
): Promise<number> {
  const { reporter, interrupts } = context
  const output = matchOutput(query, options, reporter)
  const writer = options.write === undefined ? undefined : await createMatchWriter(options.write, query.uid)
  const cancel = cancelling(interrupts)
  const progress = reporter.startProgress('matches')
  let count = 0
  let responses = 0
  let isWarned = false
  let final: CFindResponse | undefined
  try {
    for await (const response of association.cFind(query.identifier, { model: query.uid, signal: cancel.signal })) {
      const { identifier, status, category } = response
      if (category !== 'pending') {
        final = response
        continue
      }
      responses += 1
      isWarned ||= status === PENDING_WITH_WARNING
      if (identifier !== undefined && (options.limit === undefined || count < options.limit)) {
        count += 1
        output.match(identifier)
        await writer?.write(identifier)
        await stdoutDrained()
      }
      progress.update(() => ({ done: count }))
      if (count === options.limit || responses === options.cancelAfter || isStdoutGone()) cancel.cancel()
    }
  } catch (error) {
    output.end()
    return partlyLost(error, count, undefined, context)
  } finally {
    progress.end()
    output.end()
  }
  if (isWarned) reporter.note('The server does not support some of the keys, or matched without them (FF01).')
  const isMore = count === options.limit && (responses > count || final?.category === 'cancel')
  return finish(count, isMore, final, cancel, context)
}

function finish(
  count: number,
  isMore: boolean,
  final: CFindResponse | undefined,
  cancel: Cancelling,
  { reporter, interrupts }: ScuContext,
): number {
  const matches = count === 1 ? '1 match' : `${count === 0 ? 'no' : count} matches`
  const words = final === undefined ? 'no final response' : printable(statusWords(final))
  switch (final?.category) {
    case 'success':
      reporter.note(`${matches}${isMore ? '; there are more (--limit)' : ''}. ${words}`)
      return EXIT.ok
    case 'cancel':
      reporter.note(`${matches}; ${isMore ? 'there may be more (--limit)' : 'cancelled'}. ${words}`)
      return cancel.isWanted ? EXIT.ok : interrupts.exitCode(count > 0 ? EXIT.partlyFailed : EXIT.failed)
    case 'warning':
      reporter.note(`${matches}; there are more. ${words}`)
      return count > 0 ? EXIT.partlyFailed : EXIT.failed
    default:
      reporter.warn(`${reporter.paint.err('red', 'error')}: the query failed${count === 0 ? '' : ` after ${matches}`}: ${words}`)
      return count > 0 ? EXIT.partlyFailed : EXIT.failed
  }
}
