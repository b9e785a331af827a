import type { DataSet } from '@dicomtap/framework'
import { LEVELS, type InformationModel, type Level } from '../model/levels.ts'
import { textOf } from '../text/values.ts'
import { Tag, violation } from './violation.ts'

/** Query/Retrieve Level (0008,0052). @throws StatusError A900 when it is missing or not one of the model */
export function levelOf(identifier: DataSet, model: InformationModel): Level {
  const text = textOf(identifier['QueryRetrieveLevel'])
  if (text === '') throw violation('Query/Retrieve Level is missing', Tag.QueryRetrieveLevel)
  const level = model.levels.find((one) => one === text)
  if (level === undefined) throw violation('Query/Retrieve Level is not one of the model', Tag.QueryRetrieveLevel)
  return level
}

/** Is it the level of a query, or one above? */
export function isWithin(level: Level, query: Level): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(query)
}
