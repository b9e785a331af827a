import { encodeText } from './character-encoder.ts'
import { parseCharacterSet } from './character-sets.ts'

/**
 * Whether text can be written in a Specific Character Set (0008,0005), for those who choose one: a data set whose
 * text does not fit is encoded as UTF-8. No values are the default repertoire, ASCII.
 *
 * @example
 * canEncodeText('Αθηνά', ['ISO_IR 126']) // true
 */
export function canEncodeText(text: string, specificCharacterSet: readonly string[]): boolean {
  return encodeText(text, parseCharacterSet(specificCharacterSet), '') !== undefined
}
