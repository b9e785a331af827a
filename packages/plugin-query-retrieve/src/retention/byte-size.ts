const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

/** A size as people write it, and as plugin-storage takes it: `500 GB` (powers of 1000), `1.5 TiB` (of 1024), `1024`. */
export const BYTE_SIZE_PATTERN: RegExp = /^\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT][iI]?[bB]|[bB])?\s*$/

/** The bytes of such a size; undefined when it is not one. */
export function parseByteSize(text: string): number | undefined {
  const match = BYTE_SIZE_PATTERN.exec(text)
  if (match === null) return undefined
  const bytes = Math.round(Number(match[1]) * (UNITS[(match[2] ?? 'b').toLowerCase()] ?? 1))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
