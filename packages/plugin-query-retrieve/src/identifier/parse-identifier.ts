import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import type { AttributeCatalogue } from '../model/attributes.ts'
import type { InformationModel } from '../model/levels.ts'
import type { Query } from '../model/query.ts'

export interface ParseIdentifierOptions {
  readonly model: InformationModel
  readonly attributes: AttributeCatalogue
  readonly negotiated: FindNegotiation
  /** Keys of any level, negotiated or not. */
  readonly relational: boolean
}

/**
 * Understands and checks the identifier of a C-FIND.
 * @throws StatusError A900 with comment and offending elements
 */
export function parseIdentifier(_identifier: DataSet, _options: ParseIdentifierOptions): Query {
  throw new Error('not written yet')
}
