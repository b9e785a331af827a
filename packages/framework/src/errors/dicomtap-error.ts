import type { ErrorCode } from './codes.ts'

const BRAND: unique symbol = Symbol.for('dicomtap.error') as never

/**
 * The base of every error dicomtap raises. `instanceof` is answered by a brand, so that it holds
 * across two installed copies of the framework.
 *
 * @example
 * try { await ae.listen({ port: 104 }) } catch (error) {
 *   if (error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_NET_LISTEN') ...
 * }
 */
export class DicomtapError extends Error {
  override readonly name: string = 'DicomtapError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    Object.defineProperty(this, BRAND, { value: true })
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false
    try {
      if (this === DicomtapError) return (value as { [BRAND]?: true })[BRAND] === true
      return Function.prototype[Symbol.hasInstance].call(this, value)
    } catch {
      // A proxy that does not let itself be looked at.
      return false
    }
  }
}
