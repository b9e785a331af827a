import { setImmediate } from 'node:timers/promises'
import type { FileWindow } from './file-window.ts'
import { cannotExtract } from './refused.ts'

export const UNDEFINED_LENGTH = 0xffffffff
export const ITEM = 0xfffee000
const ITEM_DELIMITATION = 0xfffee00d
export const SEQUENCE_DELIMITATION = 0xfffee0dd
/** Bytes of the header of an item or a delimitation item. */
export const ITEM_HEADER_BYTES = 8

const LONG_VRS: ReadonlySet<string> = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])
const MAXIMUM_DEPTH = 64
const MAXIMUM_ELEMENTS = 2_000_000
const PAUSE_ELEMENTS = 4_096

/** An element, an item or a delimitation item. Positions are in the file. */
export interface Header {
  readonly tag: number
  /** Undefined in Implicit VR. */
  readonly vr: string | undefined
  readonly start: number
  readonly valueStart: number
  /** 0xFFFFFFFF when undefined. */
  readonly length: number
}

/** An element, and where it ends; delimitation items belong to it. */
export interface Element extends Header {
  readonly end: number
  /** How the elements of its items are encoded, if it is a sequence. */
  readonly explicitItems: boolean
}

export interface Item {
  readonly start: number
  readonly contentStart: number
  readonly contentEnd: number
  readonly end: number
}

/**
 * Finds elements in a little endian file without reading their values. Lengths are checked against what they are in.
 * Its methods throw StatusError AA02 for what is malformed, or too much.
 */
export class ElementReader {
  readonly #window: FileWindow
  readonly #signal: AbortSignal | undefined
  #elements = 0

  /** @param signal ends it with its reason */
  constructor(window: FileWindow, signal?: AbortSignal) {
    this.#window = window
    this.#signal = signal
  }

  async header(position: number, end: number, explicitVr: boolean): Promise<Header> {
    if (++this.#elements % PAUSE_ELEMENTS === 0) {
      await setImmediate()
      this.#signal?.throwIfAborted()
    }
    if (this.#elements > MAXIMUM_ELEMENTS) throw cannotExtract('The object has too many elements')
    if (end - position < 8) throw malformed()
    const bytes = await this.#window.view(position, Math.min(12, end - position))
    const tag = bytes.readUInt16LE(0) * 0x10000 + bytes.readUInt16LE(2)
    const found = (vr: string | undefined, size: number, length: number): Header => {
      if (length !== UNDEFINED_LENGTH && length > end - position - size) throw malformed()
      return { tag, vr, start: position, valueStart: position + size, length }
    }
    if (!explicitVr || tag >>> 16 === 0xfffe) return found(undefined, 8, bytes.readUInt32LE(4))
    const vr = bytes.toString('latin1', 4, 6)
    if (!/^[A-Z]{2}$/.test(vr)) throw malformed()
    if (!LONG_VRS.has(vr)) return found(vr, 8, bytes.readUInt16LE(6))
    if (bytes.length < 12) throw malformed()
    return found(vr, 12, bytes.readUInt32LE(8))
  }

  async element(position: number, end: number, explicitVr: boolean, depth = 0): Promise<Element> {
    const header = await this.header(position, end, explicitVr)
    if (header.tag >>> 16 === 0xfffe) throw malformed()
    const explicitItems = explicitVr && header.vr !== 'UN'
    if (header.length !== UNDEFINED_LENGTH) return { ...header, explicitItems, end: header.valueStart + header.length }
    for (let at = header.valueStart; ; ) {
      const item = await this.#item(at, end, explicitItems, depth)
      if (item === undefined) return { ...header, explicitItems, end: at + ITEM_HEADER_BYTES }
      at = item.end
    }
  }

  /** The items of a sequence, or the fragments of encapsulated pixel data. */
  async *items({ valueStart, length, end, explicitItems }: Element): AsyncGenerator<Item, void, undefined> {
    const isUndefined = length === UNDEFINED_LENGTH
    for (let at = valueStart; isUndefined || at < end; ) {
      const item = await this.#item(at, end, explicitItems, 0)
      if (item === undefined) {
        if (isUndefined) return
        throw malformed()
      }
      yield item
      at = item.end
    }
  }

  /** The elements of an item. */
  async *elements({ contentStart, contentEnd }: Item, explicitVr: boolean): AsyncGenerator<Element, void, undefined> {
    for (let at = contentStart; at < contentEnd; ) {
      const element = await this.element(at, contentEnd, explicitVr, 1)
      yield element
      at = element.end
    }
  }

  /** Bytes of a value, which stay. */
  async value({ valueStart, length }: Header, maximumBytes: number): Promise<Buffer> {
    if (length > maximumBytes) throw cannotExtract('An attribute of the object is too long')
    return Buffer.from(await this.#window.view(valueStart, length))
  }

  /** Undefined at the end of the sequence. */
  async #item(position: number, end: number, explicitVr: boolean, depth: number): Promise<Item | undefined> {
    if (depth > MAXIMUM_DEPTH) throw cannotExtract('Sequences are nested too deep')
    const { tag, valueStart, length } = await this.header(position, end, explicitVr)
    if (tag === SEQUENCE_DELIMITATION) return undefined
    if (tag !== ITEM) throw malformed()
    if (length !== UNDEFINED_LENGTH) return { start: position, contentStart: valueStart, contentEnd: valueStart + length, end: valueStart + length }
    for (let at = valueStart; ; ) {
      const next = await this.header(at, end, explicitVr)
      if (next.tag === ITEM_DELIMITATION) return { start: position, contentStart: valueStart, contentEnd: at, end: at + ITEM_HEADER_BYTES }
      at = (await this.element(at, end, explicitVr, depth + 1)).end
    }
  }
}

function malformed(): Error {
  return cannotExtract('The object is malformed')
}
