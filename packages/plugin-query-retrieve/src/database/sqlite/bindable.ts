/**
 * A value that libsql takes. It ends the process at a boolean, and truth must not depend on who wrote a value: text
 * with NUL reads back shorter than it was written.
 */
export function bindable(value: unknown): string | number | bigint | Uint8Array | null {
  switch (typeof value) {
    case 'string':
      return value.includes('\0') ? value.replaceAll('\0', '').toWellFormed() : value.isWellFormed() ? value : value.toWellFormed()
    case 'number':
      return value
    case 'bigint':
      return BigInt.asIntN(64, value)
    case 'boolean':
      return value ? 1 : 0
    case 'undefined':
      return null
    default:
      if (value === null || value instanceof Uint8Array) return value
      throw new TypeError(`A value of type ${typeof value} cannot be bound`)
  }
}
