const MAXIMUM_NAME_LENGTH = 256
// Control characters, line separators, and those that turn the direction of text.
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/u
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is wrong with a username; undefined when nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > MAXIMUM_NAME_LENGTH) return `is longer than ${MAXIMUM_NAME_LENGTH} characters`
  if (UNPRINTABLE.test(name)) return 'has control characters'
  if (name !== name.trim()) return 'begins or ends with a space'
  return undefined
}

/** The username in a primary field (UTF-8, PS3.7 D.3.3.7.1); undefined when it cannot be one. */
export function decodeName(bytes: Uint8Array): string | undefined {
  // No more is decoded than a name may need.
  if (bytes.byteLength > 4 * MAXIMUM_NAME_LENGTH) return undefined
  try {
    const name = decoder.decode(bytes)
    return nameProblem(name) === undefined ? name : undefined
  } catch {
    return undefined
  }
}

const PRINTED_LENGTH = 64

/** Text that a peer chose, fit for one line of a log. */
export function printable(text: string): string {
  const cut = text.length > PRINTED_LENGTH ? `${text.slice(0, PRINTED_LENGTH)}...` : text
  return cut.replace(new RegExp(UNPRINTABLE, 'gu'), (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
