import { DicomtapError } from '../../../dist/errors/index.js'
import { Random } from '../../support/random.ts'

/** Code that reads what a peer sent, and what must hold whatever that is. */
export interface FuzzTarget {
  readonly name: string
  /** Valid inputs, from which the fuzzer starts. */
  seeds(): Promise<Buffer[]> | Buffer[]
  /** Throws when something does not hold. May change neither `input` nor keep it. */
  run(input: Buffer): Promise<void> | void
  readonly limits: FuzzLimits
}

/** What an input may cost. */
export interface FuzzLimits {
  readonly maximumInputBytes: number
  /** Bytes of buffers that are made whatever the input. */
  readonly freeBytes: number
  /** Blocks of code executed per byte of input, apart from a thousand. */
  readonly blocksPerByte: number
  /** Bytes of buffers made per byte of input, apart from those. */
  readonly memoryPerByte: number
}

/** Bytes of a peer may give this: an error of ours, with one of these codes. */
export function expectError(error: unknown, codes: readonly string[]): DicomtapError {
  if (!(error instanceof DicomtapError)) throw new Error('something else than a DicomtapError was thrown', { cause: error })
  if (!codes.includes(error.code)) throw new Error(`an error of another code was thrown: ${error.code}`, { cause: error })
  return error
}

/** The result, or undefined when an error with one of these codes was thrown. */
export function attempt<T>(codes: readonly string[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    expectError(error, codes)
    return undefined
  }
}

/** Cut into pieces, at places that two bytes of the input decide; some pieces are empty. */
export function cut(bytes: Buffer, [high = 0, low = 0]: Buffer): Buffer[] {
  const random = new Random(high * 256 + low)
  const most = random.one([1, 2, 13, 200, 5_000])
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = random.below(most + 1)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}
