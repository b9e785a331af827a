/**
 * Text beyond ASCII as literal bytes: each character of `bytes` is one byte of the file. Those of the standard are
 * examples of PS3.5 annexes H to K and of PS3.5 6.2.1.1; the others were looked up in the code tables.
 * `text` is what they say: the tests hold it against what DCMTK reads.
 */
export interface EncodedText {
  /** Specific Character Set (0008,0005). */
  readonly characterSet: string
  readonly bytes: string
  readonly text: string
}

const ESC = '\x1b'
const KANJI = `${ESC}$B`
const ASCII = `${ESC}(B`
const ROMAJI = `${ESC}(J`
const HANGUL = `${ESC}$)C`
const HANZI = `${ESC}$)A`

export const TEXTS = {
  /** PS3.5 H.3.1. */
  yamada: {
    characterSet: '\\ISO 2022 IR 87',
    bytes: `Yamada^Tarou=${KANJI};3ED${ASCII}^${KANJI}B@O:${ASCII}=${KANJI}$d$^$@${ASCII}^${KANJI}$?$m$&${ASCII}`,
    text: 'Yamada^Tarou=山田^太郎=やまだ^たろう',
  },
  /** PS3.5 H.3.2: half-width katakana first. */
  yamadaKatakana: {
    characterSet: 'ISO 2022 IR 13\\ISO 2022 IR 87',
    bytes: `\xd4\xcf\xc0\xde^\xc0\xdb\xb3=${KANJI};3ED${ROMAJI}^${KANJI}B@O:${ROMAJI}=${KANJI}$d$^$@${ROMAJI}^${KANJI}$?$m$&${ROMAJI}`,
    text: 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
  },
  /** A description: 胸部 (chest) in JIS X 0208. */
  chestJapanese: { characterSet: '\\ISO 2022 IR 87', bytes: `${KANJI}6;It${ASCII} CT`, text: '胸部 CT' },
  /** PS3.5 I.2. */
  hong: {
    characterSet: '\\ISO 2022 IR 149',
    bytes: `Hong^Gildong=${HANGUL}\xfb\xf3^${HANGUL}\xd1\xce\xd4\xd7=${HANGUL}\xc8\xab^${HANGUL}\xb1\xe6\xb5\xbf`,
    text: 'Hong^Gildong=洪^吉洞=홍^길동',
  },
  /** PS3.5 J.3, in UTF-8. */
  wangUtf8: {
    characterSet: 'ISO_IR 192',
    bytes: 'Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=',
    text: 'Wang^XiaoDong=王^小東=',
  },
  /** PS3.5 J.4, in GB18030. */
  wangGb18030: { characterSet: 'GB18030', bytes: 'Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=', text: 'Wang^XiaoDong=王^小东=' },
  /** PS3.5 K.2, in GB 2312. */
  zhang: { characterSet: '\\ISO 2022 IR 58', bytes: `Zhang^XiaoDong=${HANZI}\xd5\xc5^${HANZI}\xd0\xa1\xb6\xab=`, text: 'Zhang^XiaoDong=张^小东=' },
  greek: { characterSet: 'ISO_IR 126', bytes: '\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2^\xc5\xeb\xdd\xed\xe7', text: 'Διονυσιος^Ελένη' },
  german: { characterSet: 'ISO_IR 100', bytes: '\xc4neas^R\xfcdiger', text: 'Äneas^Rüdiger' },
  sharpS: { characterSet: 'ISO_IR 100', bytes: 'Gro\xdfmann^J\xf6rg', text: 'Großmann^Jörg' },
  umlaut: { characterSet: 'ISO_IR 100', bytes: 'M\xfcller^\xc4nne', text: 'Müller^Änne' },
  /** The same in UTF-8, decomposed: u and a combining diaeresis. */
  umlautDecomposed: { characterSet: 'ISO_IR 192', bytes: 'Mu\xcc\x88ller^Uwe', text: 'Mu\u0308ller^Uwe' },
  french: { characterSet: 'ISO_IR 100', bytes: 'Buc^J\xe9r\xf4me', text: 'Buc^Jérôme' },
  polish: { characterSet: 'ISO_IR 101', bytes: 'Nowak^J\xf3zef', text: 'Nowak^Józef' },
  arabic: { characterSet: 'ISO_IR 127', bytes: '\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1', text: 'قباني^لنزار' },
  russian: { characterSet: 'ISO_IR 144', bytes: '\xbb\xee\xdace\xdc\xd1yp\xd3', text: 'Люкceмбypг' },
  ivanov: { characterSet: 'ISO_IR 144', bytes: '\xb8\xd2\xd0\xdd\xde\xd2^\xb8\xd2\xd0\xdd', text: 'Иванов^Иван' },
  hebrew: { characterSet: 'ISO_IR 138', bytes: '\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4', text: 'שרון^דבורה' },
  thai: { characterSet: 'ISO_IR 166', bytes: '\xca\xc1\xaa\xd2\xc2^\xb4\xd5', text: 'สมชาย^ดี' },
} as const satisfies Record<string, EncodedText>
