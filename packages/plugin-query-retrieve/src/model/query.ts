import type { IndexedAttribute } from './attributes.ts'
import type { Level } from './levels.ts'

/**
 * Parts of a name in a query: `*` and `?` are wildcards, folded as the columns are. `namePatterns` of text/names.ts
 * tells what else a pattern stands for: `doe^*` means `doe` too.
 */
export interface NameMatching {
  readonly kind: 'name'
  /** One pattern that any component group may match, or one for each group that the query gives: all of those match. */
  readonly any?: string | undefined
  readonly alphabetic?: string | undefined
  readonly ideographic?: string | undefined
  readonly phonetic?: string | undefined
}

/** How the value of one key is matched (PS3.4 C.2.2.2). Values are normalized as those of the columns are. */
export type Matching =
  | { readonly kind: 'universal' }
  /** PS3.4 C.2.2.2.7, negotiated: attributes without a value. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'single'; readonly value: string }
  /** Any of these: UIDs, mostly (PS3.4 C.2.2.2.2). */
  | { readonly kind: 'list'; readonly values: readonly string[] }
  /** PS3.4 C.2.2.2.8, negotiated: each of these matches one of the values. */
  | { readonly kind: 'all'; readonly each: readonly Matching[] }
  /** `*` any text, `?` one character. */
  | { readonly kind: 'wildcard'; readonly pattern: string }
  /** Inclusive at both ends; a bound that is undefined is open. */
  | { readonly kind: 'range'; readonly from: string | undefined; readonly to: string | undefined }
  | NameMatching
  /** Each token must be in the name, by sound or as its beginning (semantic matching, PS3.4 C.2.2.2.1.1). */
  | { readonly kind: 'fuzzyName'; readonly tokens: readonly string[] }
  /** One item that matches all of these. */
  | { readonly kind: 'sequence'; readonly keys: readonly Key[] }

/** An attribute of a query that restricts what matches. */
export interface Key {
  readonly attribute: IndexedAttribute
  readonly matching: Matching
}

/** A range of a date attribute together with one of a time attribute (PS3.4 C.2.2.2.5), when that was negotiated. */
export interface DateTimeKey {
  readonly date: IndexedAttribute
  readonly time: IndexedAttribute
  /** `YYYYMMDDHHMMSS.FFFFFF`, in the time zone of the query. */
  readonly from: string | undefined
  readonly to: string | undefined
}

/** Attributes that are computed from others when they are asked for (PS3.4 C.3.4, C.4.1.1.3.2). */
export type DerivedName =
  | 'ModalitiesInStudy'
  | 'SOPClassesInStudy'
  | 'NumberOfPatientRelatedStudies'
  | 'NumberOfPatientRelatedSeries'
  | 'NumberOfPatientRelatedInstances'
  | 'NumberOfStudyRelatedSeries'
  | 'NumberOfStudyRelatedInstances'
  | 'NumberOfSeriesRelatedInstances'
  | 'RetrieveAETitle'
  | 'InstanceAvailability'
  | 'AvailableTransferSyntaxUID'

/** A C-FIND identifier that was understood and found in order. */
export interface Query {
  readonly level: Level
  /** Those that restrict: universal ones are left out. */
  readonly keys: readonly Key[]
  readonly dateTimeKeys: readonly DateTimeKey[]
  /** Keys on attributes that are computed, e.g. ModalitiesInStudy `CT`. */
  readonly derivedKeys: readonly { readonly name: DerivedName; readonly matching: Matching }[]
  /** What each match returns, keys included. */
  readonly returned: readonly IndexedAttribute[]
  readonly derived: readonly DerivedName[]
  /** Of a returned sequence, the attributes of its items that were asked for; not in the map: all. */
  readonly itemAttributes: ReadonlyMap<IndexedAttribute, readonly string[]>
  /** Names of optional keys that are not supported: matches are answered FF01. */
  readonly unsupported: readonly string[]
  /** Specific Character Set (0008,0005) of the identifier. */
  readonly characterSets: readonly string[]
  /** Timezone Offset From UTC (0008,0201) of the identifier in minutes, when adjustment was negotiated. */
  readonly timezoneOffsetMinutes: number | undefined
}
