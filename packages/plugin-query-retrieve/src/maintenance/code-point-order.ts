const SURROGATE = /[\ud800-\udfff]/

/** Below zero when `a` comes first: by code points, as databases compare the bytes of UTF-8. */
export function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : 1
}
