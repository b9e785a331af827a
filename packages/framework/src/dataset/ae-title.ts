/**
 * An AE title, without the spaces around it, which do not count. 1 to 16 characters of the default
 * repertoire, no backslash, no control character, not only spaces (PS3.5 6.2, VR AE).
 */
export function parseAeTitle(candidate: unknown): string | undefined {
  if (typeof candidate !== 'string') return undefined
  const title = candidate.replace(/^ +| +$/g, '')
  return /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(title) ? title : undefined
}
