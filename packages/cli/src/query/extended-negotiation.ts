import { DicomtapError, extendedNegotiationOf, queryNegotiation, retrieveNegotiation } from '@dicomtap/framework'
import type { AssociateOptions, Association, FindNegotiation, RetrieveNegotiation } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import type { QueryOperation } from './models.ts'
import type { FindOptions } from './register.ts'

type Wish = keyof FindNegotiation | keyof RetrieveNegotiation

const WORDS: Readonly<Record<Wish, string>> = {
  relationalQueries: 'relational queries',
  relationalRetrieval: 'relational retrieval',
  dateTimeMatching: 'dates and times matched together',
  fuzzySemanticMatching: 'names matched by sound',
  timezoneQueryAdjustment: 'times adjusted to a time zone',
  enhancedMultiFrameImageConversion: 'conversion of enhanced images',
  emptyValueMatching: 'matching of empty values',
  multipleValueMatching: 'matching of several values',
}

function wishesOf(operation: QueryOperation, options: FindOptions): Partial<Record<Wish, boolean>> {
  const { relational, enhanced, dateTime, fuzzy, timezone, emptyValues, multipleValues } = options
  const wishes: Partial<Record<Wish, boolean | undefined>> =
    operation === 'find'
      ? {
          relationalQueries: relational,
          dateTimeMatching: dateTime,
          fuzzySemanticMatching: fuzzy,
          timezoneQueryAdjustment: timezone,
          enhancedMultiFrameImageConversion: enhanced,
          emptyValueMatching: emptyValues,
          multipleValueMatching: multipleValues,
        }
      : { relationalRetrieval: relational, enhancedMultiFrameImageConversion: enhanced }
  return Object.fromEntries(Object.entries(wishes).filter(([, isWanted]) => isWanted === true)) as Partial<Record<Wish, boolean>>
}

/**
 * The SOP class extended negotiation of a query (PS3.4 C.5, K.5); nothing when nothing special is wanted.
 *
 * @throws UsageError when the standard has no such negotiation for the model
 */
export function extendedNegotiation(
  operation: QueryOperation,
  sopClassUid: string,
  options: FindOptions,
): Pick<AssociateOptions, 'sopClassExtended'> {
  const wishes = wishesOf(operation, options)
  if (Object.keys(wishes).length === 0) return {}
  try {
    return { sopClassExtended: [operation === 'find' ? queryNegotiation(sopClassUid, wishes) : retrieveNegotiation(sopClassUid, wishes)] }
  } catch (error) {
    if (error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_ACSE_REQUEST') throw new UsageError(error.message)
    throw error
  }
}

/** What was wanted and the peer did not agree to, in words. */
export function refusedWishes(operation: QueryOperation, sopClassUid: string, options: FindOptions, { accept }: Association): string[] {
  const answer = extendedNegotiationOf(accept?.userInformation ?? [], sopClassUid) as Partial<Record<Wish, boolean>> | undefined
  return (Object.keys(wishesOf(operation, options)) as Wish[]).filter((wish) => answer?.[wish] !== true).map((wish) => WORDS[wish])
}
