/**
 * Decodes text of the corpus, and of answers about it, by the platform's own decoders: each character of the given
 * string is one byte. DCMTK as Debian builds it cannot read JIS X 0208, therefore it is not asked.
 */
export function decodeText(bytes: string, characterSets: readonly string[]): string {
  const [first = ''] = characterSets
  const whole = WHOLE[first]
  if (whole !== undefined && characterSets.length < 2) return new TextDecoder(whole, { fatal: true }).decode(Buffer.from(bytes, 'latin1'))
  const initial = first.endsWith('IR 13') ? '(J' : '(B'
  // What is designated ends with the next escape sequence: before a delimiter there is always one (PS3.5 6.1.2.5.3).
  // oxlint-disable-next-line no-control-regex
  const [head = '', ...rest] = bytes.split(/\x1b(\(B|\(J|\)I|\$B|\$\)C|\$\)A)/)
  let text = decodePart(initial, head)
  for (let index = 0; index < rest.length; index += 2) text += decodePart(rest[index] ?? '', rest[index + 1] ?? '')
  return text
}

/** By Specific Character Set: one that holds for the whole value. */
const WHOLE: Readonly<Record<string, string>> = {
  'ISO_IR 100': 'iso-8859-1',
  'ISO_IR 101': 'iso-8859-2',
  'ISO_IR 126': 'iso-8859-7',
  'ISO_IR 127': 'iso-8859-6',
  'ISO_IR 138': 'iso-8859-8',
  'ISO_IR 144': 'iso-8859-5',
  'ISO_IR 166': 'windows-874',
  'ISO_IR 192': 'utf-8',
  GB18030: 'gb18030',
}

/** By escape sequence (PS3.3 tables C.12-3 and C.12-4): G0 of JIS X 0208 is made an EUC by setting the high bits. */
const BY_ESCAPE: Readonly<Record<string, (bytes: Buffer) => string>> = {
  '(B': (bytes) => bytes.toString('latin1'),
  '(J': (bytes) => katakana(bytes),
  ')I': (bytes) => katakana(bytes),
  $B: (bytes) => new TextDecoder('euc-jp', { fatal: true }).decode(bytes.map((byte) => byte | 0x80)),
  '$)C': (bytes) => new TextDecoder('euc-kr', { fatal: true }).decode(bytes),
  '$)A': (bytes) => new TextDecoder('gbk', { fatal: true }).decode(bytes),
}

/** JIS X 0201: half-width katakana above 7F. */
function katakana(bytes: Buffer): string {
  return [...bytes].map((byte) => String.fromCharCode(byte >= 0xa1 && byte <= 0xdf ? byte - 0xa1 + 0xff61 : byte)).join('')
}

function decodePart(escape: string, bytes: string): string {
  return BY_ESCAPE[escape]?.(Buffer.from(bytes, 'latin1')) ?? ''
}
