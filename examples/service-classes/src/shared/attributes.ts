/** What the tables of PS3.4 ask of the data sets of N services. */
import { Status, StatusError, loadDictionary } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'

/** Nothing between the delimiters of the attribute, or the attribute is not there. */
export function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

/**
 * Checks for attributes of type 1, which have a value, and of type 2, which may be empty (PS3.5 7.4).
 * @throws StatusError 0120 when attributes are missing, 0121 when values are; with a list of them
 */
export async function requireAttributes(dataset: DataSet, type1: readonly string[], type2: readonly string[] = []): Promise<void> {
  const absent = [...type1, ...type2].filter((keyword) => !Object.hasOwn(dataset, keyword))
  if (absent.length > 0) throw await attributeError(Status.MissingAttribute, absent)
  const empty = type1.filter((keyword) => isEmpty(dataset[keyword]))
  if (empty.length > 0) throw await attributeError(Status.MissingAttributeValue, empty)
}

/** A failure that is about attributes: the response lists them, and names them in words. */
export async function attributeError(status: number, keywords: readonly string[]): Promise<StatusError> {
  const { byName } = await loadDictionary()
  const attributeIdentifierList = keywords.flatMap((keyword) => byName(keyword)?.tag ?? [])
  return new StatusError(status, { attributeIdentifierList, errorComment: keywords.join(', ') })
}
