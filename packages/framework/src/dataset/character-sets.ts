import { TextDecoder } from 'node:util'
import { atOnce } from '../turns.ts'

/**
 * Character repertoires of PS3.5 6.1.2 and PS3.3 C.12.1.1.2. With code extensions (ISO 2022) a text
 * switches between several of them by escape sequences; G0 holds the codes below 80H, G1 those above.
 */
export interface Repertoire {
  readonly id: string
  /** The label by which TextDecoder knows it, or an encoding that contains it. */
  readonly decoder: string
  /** 7-bit codes in G0, or codes from A0H in G1. */
  readonly plane: 'G0' | 'G1'
  readonly bytesPerCharacter: 1 | 2
  /** The escape sequence that designates it, without ESC (PS3.3 tables C.12-3 to C.12-5). */
  readonly escape: string
}

const set = (
  id: string,
  decoder: string,
  plane: 'G0' | 'G1',
  escape: string,
  bytesPerCharacter: 1 | 2 = 1,
): Repertoire => ({ id, decoder, plane, bytesPerCharacter, escape })

export const ASCII: Repertoire = set('ascii', 'latin1', 'G0', '(B')
/** JIS X 0201 romaji. Its yen sign and overline are read as backslash and tilde, as everybody does. */
const ROMAJI = set('romaji', 'latin1', 'G0', '(J')
const KATAKANA = set('katakana', 'shift_jis', 'G1', ')I')
const JIS_X_0208 = set('jisx0208', 'euc-jp', 'G0', '$B', 2)
const JIS_X_0212 = set('jisx0212', 'euc-jp', 'G0', '$(D', 2)
const KS_X_1001 = set('ksx1001', 'euc-kr', 'G1', '$)C', 2)
const GB_2312 = set('gb2312', 'gbk', 'G1', '$)A', 2)

const LATIN_1 = set('latin1', 'latin1', 'G1', '-A')

/** What each defined term brings, by its ISO-IR number. */
const BY_NUMBER: ReadonlyMap<string, readonly Repertoire[]> = new Map<string, readonly Repertoire[]>([
  ['6', [ASCII]],
  ['100', [ASCII, LATIN_1]],
  ['101', [ASCII, set('latin2', 'iso-8859-2', 'G1', '-B')]],
  ['109', [ASCII, set('latin3', 'iso-8859-3', 'G1', '-C')]],
  ['110', [ASCII, set('latin4', 'iso-8859-4', 'G1', '-D')]],
  ['126', [ASCII, set('greek', 'iso-8859-7', 'G1', '-F')]],
  ['127', [ASCII, set('arabic', 'iso-8859-6', 'G1', '-G')]],
  ['138', [ASCII, set('hebrew', 'iso-8859-8', 'G1', '-H')]],
  ['144', [ASCII, set('cyrillic', 'iso-8859-5', 'G1', '-L')]],
  ['148', [ASCII, set('latin5', 'iso-8859-9', 'G1', '-M')]],
  ['166', [ASCII, set('thai', 'windows-874', 'G1', '-T')]],
  ['203', [ASCII, set('latin9', 'iso-8859-15', 'G1', '-b')]],
  ['13', [ROMAJI, KATAKANA]],
  ['87', [JIS_X_0208]],
  ['159', [JIS_X_0212]],
  ['149', [KS_X_1001]],
  ['58', [GB_2312]],
])

/** How the text of a data set is encoded, from Specific Character Set (0008,0005). */
export interface CharacterSet {
  /** All of the text in one encoding without code extensions: its decoder label. */
  readonly whole: 'utf-8' | 'gb18030' | 'gbk' | undefined
  /** What is designated where a value starts, and again after each delimiter (PS3.5 6.1.2.5.3). */
  readonly initialG0: Repertoire
  readonly initialG1: Repertoire | undefined
  /** What escape sequences may designate: everything that was declared. */
  readonly repertoires: readonly Repertoire[]
}

const WHOLE: Readonly<Record<string, CharacterSet['whole']>> = {
  'ISO_IR 192': 'utf-8',
  GB18030: 'gb18030',
  GBK: 'gbk',
}

export const DEFAULT_CHARACTER_SET: CharacterSet = {
  whole: undefined,
  initialG0: ASCII,
  initialG1: undefined,
  repertoires: [ASCII],
}
export const UTF_8: CharacterSet = { ...DEFAULT_CHARACTER_SET, whole: 'utf-8' }

/** Reads the values of Specific Character Set; a term that is not defined adds nothing. */
export function parseCharacterSet(terms: readonly string[]): CharacterSet {
  const first = (terms[0] ?? '').trim()
  const whole = Object.hasOwn(WHOLE, first) ? WHOLE[first] : undefined
  if (whole !== undefined) return { ...DEFAULT_CHARACTER_SET, whole }
  const declared = terms.map((term) => BY_NUMBER.get(/^ISO[_ ](?:IR|2022 IR) (\d+)$/.exec(term.trim())?.[1] ?? '') ?? [])
  const initial = declared[0] ?? []
  const initialG0 = initial.find(({ plane, bytesPerCharacter }) => plane === 'G0' && bytesPerCharacter === 1) ?? ASCII
  return {
    whole: undefined,
    initialG0,
    initialG1: initial.find(({ plane }) => plane === 'G1'),
    repertoires: [...new Set([initialG0, ...declared.flat(), ASCII])],
  }
}

const ESCAPE = 0x1b
const decoders = new Map<string, TextDecoder>()

export function decoderFor(label: string): TextDecoder {
  let decoder = decoders.get(label)
  if (decoder === undefined) decoders.set(label, (decoder = new TextDecoder(label)))
  return decoder
}

const LONGEST_ESCAPE = 3
const BY_ESCAPE: readonly Repertoire[] = [...new Set([...BY_NUMBER.values()].flat())]

/** Which characters, besides line ends, bring back the initial repertoires. */
export type Delimiters = '' | '\\' | '\\^='

/**
 * Decodes the bytes of a text value. Bytes that are wrong in their repertoire become U+FFFD; 8-bit bytes
 * where none was declared are read as Latin-1, because senders forget to declare it.
 *
 * @param delimiters what else besides line ends resets code extensions: `\` between values, `^` and `=` in
 * person names (PS3.5 6.1.2.5.3)
 */
export function decodeText(bytes: Buffer, characterSet: CharacterSet, delimiters: Delimiters): string {
  if (characterSet.whole !== undefined) return decoderFor(characterSet.whole).decode(bytes)
  if (!bytes.includes(ESCAPE)) {
    const { initialG0, initialG1 } = characterSet
    return atOnce(decodeRun(bytes, initialG0, initialG1))
  }
  return atOnce(decodeWithEscapes(bytes, characterSet, delimiters))
}

/** Bytes between two pauses, and how many of them a switch between repertoires takes as long as. */
const PIECE_BYTES = 65_536
const COST_OF_SWITCH_BYTES = 256

/** As {@link decodeText}, for long texts and such with many escape sequences: it yields every so many bytes. */
export function* decodeTextInPieces(bytes: Buffer, characterSet: CharacterSet, delimiters: Delimiters): Generator<void, string, void> {
  if (characterSet.whole === undefined && bytes.includes(ESCAPE)) return yield* decodeWithEscapes(bytes, characterSet, delimiters)
  return yield* decodeLong(bytes, characterSet.whole ?? characterSet.initialG1?.decoder ?? 'latin1')
}

function* decodeLong(bytes: Buffer, label: string): Generator<void, string, void> {
  if (label === 'latin1') return bytes.toString('latin1')
  if (bytes.length <= PIECE_BYTES) return decoderFor(label).decode(bytes)
  const decoder = new TextDecoder(label)
  let text = ''
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    text += decoder.decode(bytes.subarray(at, at + PIECE_BYTES), { stream: true })
    yield
  }
  return text + decoder.decode()
}

function* decodeWithEscapes(bytes: Buffer, characterSet: CharacterSet, delimiters: Delimiters): Generator<void, string, void> {
  let text = ''
  let runStart = 0
  let g0 = characterSet.initialG0
  let g1 = characterSet.initialG1
  let at = 0
  let pauseAt = PIECE_BYTES
  while (at < bytes.length) {
    if (at >= pauseAt) {
      yield
      pauseAt = at + PIECE_BYTES
    }
    const byte = bytes[at] as number
    if (byte === ESCAPE) {
      const sequence = bytes.toString('latin1', at + 1, at + 1 + LONGEST_ESCAPE)
      const designated = BY_ESCAPE.find(({ escape }) => sequence.startsWith(escape))
      if (designated !== undefined) {
        text += yield* decodeRun(bytes.subarray(runStart, at), g0, g1)
        if (designated.plane === 'G0') g0 = designated
        else g1 = designated
        at += 1 + designated.escape.length
        runStart = at
        pauseAt -= COST_OF_SWITCH_BYTES
        continue
      }
    } else if (g0.bytesPerCharacter === 2 && byte > 0x20 && byte < 0x7f) {
      at += 2
      // Between two characters: a run of this kind may end anywhere there.
      if (at - runStart >= PIECE_BYTES) {
        text += yield* decodeRun(bytes.subarray(runStart, at), g0, g1)
        runStart = at
      }
      continue
    } else if (isReset(byte, delimiters)) {
      text += yield* decodeRun(bytes.subarray(runStart, at), g0, g1)
      runStart = at
      // A G1 set stays until another is designated: writers forget to designate it again.
      g0 = characterSet.initialG0
      g1 = characterSet.initialG1 ?? g1
      pauseAt -= COST_OF_SWITCH_BYTES
    }
    at++
  }
  return text + (yield* decodeRun(bytes.subarray(runStart), g0, g1))
}

export function isReset(code: number, delimiters: Delimiters): boolean {
  if (code >= 0x09 && code <= 0x0d) return true
  if (code === 0x5c) return delimiters !== ''
  return (code === 0x5e || code === 0x3d) && delimiters.length > 1
}

function* decodeRun(bytes: Buffer, g0: Repertoire, g1: Repertoire | undefined): Generator<void, string, void> {
  if (bytes.length === 0) return ''
  if (g0.bytesPerCharacter === 2) return decodeJis(bytes, g0)
  return yield* decodeLong(bytes, g1?.decoder ?? 'latin1')
}

/** JIS X 0208 and 0212 in G0 are EUC-JP without the high bits, the latter after 8FH. */
function decodeJis(bytes: Buffer, g0: Repertoire): string {
  const isSupplementary = g0.id === JIS_X_0212.id
  // Of two bytes two or three, of a last one without its second as many.
  const euc = new Uint8Array(bytes.length + Math.ceil(bytes.length / 2) + 2)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte <= 0x20 || byte >= 0x7f) {
      euc[length++] = byte
      continue
    }
    if (isSupplementary) euc[length++] = 0x8f
    euc[length++] = byte | 0x80
    euc[length++] = (bytes[++at] ?? 0x20) | 0x80
  }
  return decoderFor('euc-jp').decode(euc.subarray(0, length))
}
