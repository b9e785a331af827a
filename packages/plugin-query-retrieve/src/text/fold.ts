/**
 * Marks that change a letter without making another one of it: of Latin, Greek and Cyrillic, Hebrew points, Arabic
 * vowels and hamza. Vowel signs of Thai or Devanagari and the voicing of kana are letters and stay.
 */
const MARKS = new RegExp(
  `[${[
    String.raw`\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f`,
    String.raw`\u0483-\u0487`,
    String.raw`\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7`,
    String.raw`\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed`,
  ].join('')}]`,
  'g',
)

/** Letters that Unicode does not take apart, as they are written without their stroke or ligature. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ŧ: 't',
  ŋ: 'n',
  ı: 'i',
  ĸ: 'k',
  ȷ: 'j',
  ς: 'σ',
}
const SPECIAL = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'g')
const ASCII_ONLY = /^[\0-\x7f]*$/

/**
 * Text without case, accents and width, as person names are compared (PS3.4 C.2.2.2.1.1 leaves that to the SCP):
 * `MÜLLER` and `Muller`, `Ａｂｃ` and `abc`, half-width and full-width katakana are the same. `ü` is not `ue`.
 */
export function foldText(text: string): string {
  if (ASCII_ONLY.test(text)) return text.toLowerCase()
  return text
    .normalize('NFKD')
    .replace(MARKS, '')
    .toLowerCase()
    .replace(MARKS, '')
    .replace(SPECIAL, (letter) => LETTERS[letter] ?? letter)
    .normalize('NFC')
}
