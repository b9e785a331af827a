import type { DataSet } from '@dicomtap/framework'
import { LEVELS } from '../model/levels.ts'
import type { Level } from '../model/levels.ts'
import { attributesOf } from '../model/stored-attributes.ts'
import { attributesColumn } from './plan.ts'
import type { FindRow } from './plan.ts'

const NOTHING: DataSet = Object.freeze({})

/** The attributes of one row, level by level, parsed when they are needed. */
export interface RowAttributes {
  /** Empty when they were not selected. */
  of(level: Level): DataSet
  has(level: Level): boolean
  /** Those of the levels that were selected. */
  all(): readonly DataSet[]
}

/** Reads the attributes of rows. Rows of one study follow each other, mostly: what they share is parsed once. */
export class RowReader {
  readonly #last = new Map<Level, { readonly json: string; readonly attributes: DataSet }>()

  read(row: FindRow): RowAttributes {
    const of = (level: Level): DataSet => this.#parse(level, row[attributesColumn(level)])
    const has = (level: Level): boolean => Object.hasOwn(row, attributesColumn(level))
    return { of, has, all: () => LEVELS.filter(has).map(of) }
  }

  #parse(level: Level, json: unknown): DataSet {
    if (typeof json !== 'string' || json === '') return NOTHING
    const last = this.#last.get(level)
    if (last?.json === json) return last.attributes
    const attributes = attributesOf(json)
    this.#last.set(level, { json, attributes })
    return attributes
  }
}
