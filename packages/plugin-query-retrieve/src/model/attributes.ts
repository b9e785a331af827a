import type { Level } from './levels.ts'

/** An attribute that the index knows: it can be matched, and returned. */
export interface IndexedAttribute {
  /** As a data set calls it: the keyword, or eight hexadecimal digits for a private one. */
  readonly name: string
  readonly tag: number
  readonly vr: string
  /** Whose attribute it is: that of the table which holds it. */
  readonly level: Level
  /** The column that holds its normalized value; undefined: it is matched on the attributes as stored (JSON). */
  readonly column: string | undefined
  /** Without a column: whether its normalized values are in `key_value`, so that the database can look them up. */
  readonly isIndexed: boolean
}

/** What is known, by name. Built once from the defaults and the options. */
export interface AttributeCatalogue {
  readonly all: readonly IndexedAttribute[]
  byName(name: string): IndexedAttribute | undefined
  ofLevel(level: Level): readonly IndexedAttribute[]
  /** An attribute of the items of a sequence, and of those of the sequences in them; `vr` where the dictionary has none. */
  itemOf(sequence: IndexedAttribute, name: string, vr?: string): IndexedAttribute | undefined
  /** The tag of any attribute, indexed or not, by its name in a data set. */
  tagOf(name: string): number | undefined
  /** Changes when the options add or remove attributes: what was indexed before lacks them. */
  readonly fingerprint: string
}
