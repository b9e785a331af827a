import type { AcceptedContext } from '../acse/types.ts'
import { AbortReason, DicomtapError, PduError } from '../errors/index.ts'
import { decodeCommandSet, hasDataSet } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import type { DataSetStream } from './data-set-stream.ts'

export interface AssemblerHandler {
  contextById(presentationContextId: number): AcceptedContext | undefined
  createDataSet(context: AcceptedContext, command: CommandSet): DataSetStream
  /** The command is complete; `dataSet` fills up afterwards. */
  message(context: AcceptedContext, command: CommandSet, dataSet: DataSetStream | undefined, commandBytes: number): void
}

const DEFAULT_EMPTY_FRAGMENTS = 64
const EMPTY = Buffer.alloc(0)
const INITIAL_COMMAND_BYTES = 512

/**
 * Puts PDV fragments together to messages (PS3.7 6.3.1, PS3.8 annex E): command fragments are gathered,
 * data set fragments pass through to the data set's stream. The fragments of a message come one after
 * the other on one presentation context; anything else throws a PduError.
 */
export class MessageAssembler {
  readonly #handler: AssemblerHandler
  readonly #maximumCommandSetBytes: number
  readonly #maximumEmptyFragments: number
  #emptyFragments = 0
  #context: AcceptedContext | undefined
  /** Command fragments joined as they come, so that many small ones cost no more than their bytes. */
  #command = EMPTY
  #commandBytes = 0
  #dataSet: DataSetStream | undefined

  /** @param maximumEmptyFragments PDVs without data one after the other inside a message */
  constructor(handler: AssemblerHandler, maximumCommandSetBytes: number, maximumEmptyFragments: number = DEFAULT_EMPTY_FRAGMENTS) {
    this.#handler = handler
    this.#maximumCommandSetBytes = maximumCommandSetBytes
    this.#maximumEmptyFragments = maximumEmptyFragments
  }

  /** A message has begun and is not complete. */
  get isMidMessage(): boolean {
    return this.#context !== undefined
  }

  fragment(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void {
    const context = this.#context
    if (first) this.#checkPdv(id, isCommand, context)
    if (fragment.length > 0) this.#emptyFragments = 0
    else this.#countEmpty()
    if (isCommand) this.#commandFragment(this.#context as AcceptedContext, isLast && end, fragment)
    else this.#dataSetFragment(isLast && end, fragment)
  }

  /** The memory of the fragments given so far is lent no longer. */
  readEnd(): void {
    this.#dataSet?.handOver()
  }

  /** The association ended: a message under way will not be completed. */
  fail(error: DicomtapError): void {
    this.#dataSet?.fail(error)
    this.#dataSet = undefined
    this.#context = undefined
    this.#command = EMPTY
    this.#commandBytes = 0
  }

  #checkPdv(id: number, isCommand: boolean, context: AcceptedContext | undefined): void {
    if (context === undefined) {
      const accepted = this.#handler.contextById(id)
      if (accepted === undefined) {
        throw invalid(AbortReason.InvalidPduParameterValue, `PDV on presentation context ${id}, which was not accepted`)
      }
      if (!isCommand) throw invalid(AbortReason.UnexpectedPduParameter, 'Data set fragment without a command')
      this.#context = accepted
      return
    }
    if (id !== context.id) {
      throw invalid(AbortReason.UnexpectedPduParameter, `PDV on presentation context ${id} inside a message on ${context.id}`)
    }
    if (isCommand !== (this.#dataSet === undefined)) {
      const what = isCommand ? 'Command fragment inside a data set' : 'Data set fragment inside a command'
      throw invalid(AbortReason.UnexpectedPduParameter, what)
    }
  }

  /** Not against the standard, and no progress: a peer may not go on like that for ever. */
  #countEmpty(): void {
    this.#emptyFragments += 1
    if (this.#emptyFragments <= this.#maximumEmptyFragments) return
    throw invalid(AbortReason.InvalidPduParameterValue, `More than ${this.#maximumEmptyFragments} PDVs without data one after the other`)
  }

  #commandFragment(context: AcceptedContext, isComplete: boolean, fragment: Buffer): void {
    if (this.#commandBytes + fragment.length > this.#maximumCommandSetBytes) {
      throw invalid(AbortReason.InvalidPduParameterValue, `Command set larger than ${this.#maximumCommandSetBytes} bytes`)
    }
    // Most command sets come whole. Of the others a copy is kept: the fragment's memory is only lent.
    const isWhole = isComplete && this.#commandBytes === 0
    if (!isWhole) this.#gather(fragment)
    if (!isComplete) return
    const bytes = isWhole ? fragment : this.#command.subarray(0, this.#commandBytes)
    this.#command = EMPTY
    this.#commandBytes = 0
    const command = decode(bytes)
    if (hasDataSet(command)) this.#dataSet = this.#handler.createDataSet(context, command)
    else this.#context = undefined
    this.#handler.message(context, command, this.#dataSet, bytes.length)
  }

  #gather(fragment: Buffer): void {
    const needed = this.#commandBytes + fragment.length
    if (needed > this.#command.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#command.length * 2, INITIAL_COMMAND_BYTES))
      this.#command.copy(grown, 0, 0, this.#commandBytes)
      this.#command = grown
    }
    fragment.copy(this.#command, this.#commandBytes)
    this.#commandBytes = needed
  }

  #dataSetFragment(isComplete: boolean, fragment: Buffer): void {
    const dataSet = this.#dataSet as DataSetStream
    if (isComplete) {
      this.#dataSet = undefined
      this.#context = undefined
    }
    dataSet.push(fragment, isComplete)
  }
}

function invalid(reason: AbortReason, message: string): PduError {
  return new PduError('DICOMTAP_ERR_PDU_VALUE', reason, message)
}

function decode(bytes: Buffer): CommandSet {
  try {
    return decodeCommandSet(bytes)
  } catch (error) {
    if (!(error instanceof DicomtapError)) throw error
    throw invalid(AbortReason.InvalidPduParameterValue, error.message)
  }
}
