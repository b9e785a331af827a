import type { DataSet } from '@dicomtap/framework'
import type { InformationModel, Level } from '../model/levels.ts'

export interface ParseRetrieveIdentifierOptions {
  readonly model: InformationModel
  /** Relational retrieval was negotiated, or is always on: unique keys of the levels above may be left out (PS3.4 C.4.2.2.2.1). */
  readonly relational: boolean
}

/** What a C-MOVE or C-GET asks for: everything that all of these restrict to. Values are normalized as columns are. */
export interface RetrieveSelection {
  readonly level: Level
  readonly patientId: string | undefined
  /** Empty: of any study. Above the level of retrieval there is one at most. */
  readonly studyInstanceUids: readonly string[]
  readonly seriesInstanceUids: readonly string[]
  readonly sopInstanceUids: readonly string[]
}

/**
 * Understands and checks the identifier of a C-MOVE or C-GET (PS3.4 C.4.2.1.4.1, C.4.3.1.3.1).
 * @throws StatusError A900 with comment and offending elements
 */
export function parseRetrieveIdentifier(_identifier: DataSet, _options: ParseRetrieveIdentifierOptions): RetrieveSelection {
  throw new Error('not written yet')
}
