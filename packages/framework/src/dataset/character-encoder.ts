import { decoderFor, isReset } from './character-sets.ts'
import type { CharacterSet, Delimiters, Repertoire } from './character-sets.ts'

/**
 * Encodes text in a character set, with escape sequences where it declares code extensions; undefined when
 * the set lacks a character.
 *
 * @param delimiters as for decoding; before each of them the initial G0 set is designated again
 */
export function encodeText(text: string, characterSet: CharacterSet, delimiters: Delimiters): Buffer | undefined {
  if (isAscii(text)) return Buffer.from(text, 'latin1')
  if (characterSet.whole === 'utf-8') return Buffer.from(text, 'utf8')
  return characterSet.whole === undefined
    ? encodeWithEscapes(text, characterSet, delimiters)
    : encodeWhole(text, codesOf('gbk', 0x81, 0xfe, 0x40, 0xfe))
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7e) return false
  return true
}

/** GBK, and the two-byte part of GB18030, which is the same. */
function encodeWhole(text: string, codes: ReadonlyMap<string, number>): Buffer | undefined {
  const out: number[] = []
  for (const character of text) {
    if (character < '\u007f') out.push(character.charCodeAt(0))
    else {
      const code = codes.get(character)
      if (code === undefined) return undefined
      out.push(code >> 8, code & 0xff)
    }
  }
  return Buffer.from(out)
}

function encodeWithEscapes(text: string, characterSet: CharacterSet, delimiters: Delimiters): Buffer | undefined {
  const { initialG0, initialG1, repertoires } = characterSet
  const out: number[] = []
  let g0 = initialG0
  let g1 = initialG1
  const designate = (repertoire: Repertoire): void => {
    out.push(0x1b)
    for (const character of repertoire.escape) out.push(character.charCodeAt(0))
    if (repertoire.plane === 'G0') g0 = repertoire
    else g1 = repertoire
  }
  for (const character of text) {
    const point = character.codePointAt(0) as number
    if (point < 0x7f) {
      if (g0.bytesPerCharacter === 2) designate(initialG0)
      out.push(point)
      if (isReset(point, delimiters)) g1 = initialG1
      continue
    }
    const current = [g1, g0].find((repertoire) => repertoire !== undefined && codeIn(repertoire, character) !== undefined)
    const repertoire = current ?? repertoires.find((candidate) => codeIn(candidate, character) !== undefined)
    if (repertoire === undefined) return undefined
    if (repertoire !== g0 && repertoire !== g1) designate(repertoire)
    const code = codeIn(repertoire, character) as number
    if (repertoire.bytesPerCharacter === 2) out.push(code >> 8)
    out.push(code & 0xff)
  }
  if (g0 !== initialG0) designate(initialG0)
  return Buffer.from(out)
}

function codeIn(repertoire: Repertoire, character: string): number | undefined {
  switch (repertoire.id) {
    case 'ascii':
    case 'romaji':
      return undefined
    case 'katakana':
      return codesOf('shift_jis', undefined, 0, 0xa1, 0xdf).get(character)
    case 'jisx0208':
      return inG0(codesOf('euc-jp', 0xa1, 0xfe, 0xa1, 0xfe).get(character))
    case 'jisx0212':
      return inG0(codesOf('euc-jp', 0xa1, 0xfe, 0xa1, 0xfe, 0x8f).get(character))
    default:
      return repertoire.bytesPerCharacter === 2
        ? codesOf(repertoire.decoder, 0xa1, 0xfe, 0xa1, 0xfe).get(character)
        : codesOf(repertoire.decoder, undefined, 0, 0xa0, 0xff).get(character)
  }
}

function inG0(code: number | undefined): number | undefined {
  return code === undefined ? undefined : code & 0x7f7f
}

const tables = new Map<string, ReadonlyMap<string, number>>()

/**
 * Characters to codes, made by decoding every code of a range once. Node has decoders for these sets, but
 * encoders for none.
 */
function codesOf(
  decoder: string,
  firstLead: number | undefined,
  lastLead: number,
  firstTrail: number,
  lastTrail: number,
  prefix?: number,
): ReadonlyMap<string, number> {
  const key = `${decoder} ${firstLead} ${firstTrail} ${prefix}`
  const known = tables.get(key)
  if (known !== undefined) return known
  const table = new Map<string, number>()
  for (let lead = firstLead ?? 0; lead <= lastLead; lead++) {
    for (let trail = firstTrail; trail <= lastTrail; trail++) {
      const bytes = firstLead === undefined ? [trail] : prefix === undefined ? [lead, trail] : [prefix, lead, trail]
      const text = decoder === 'latin1' ? String.fromCharCode(trail) : decoderFor(decoder).decode(Uint8Array.from(bytes))
      const isOne = [...text].length === 1 && text !== '\ufffd' && !table.has(text)
      if (isOne && text > '\u007f') table.set(text, firstLead === undefined ? trail : lead * 256 + trail)
    }
  }
  tables.set(key, table)
  return table
}
