/** What the index keeps of one level of an instance. */
export interface LevelRow {
  /** Normalized values by column, `''` for absent. */
  readonly columns: Readonly<Record<string, string>>
  /** The attributes of this level as JSON: naturalized form, text as decoded. */
  readonly attributes: string
  /** Normalized values of attributes that are looked up in `key_value`. */
  readonly keyValues: readonly { readonly tag: number; readonly value: string }[]
}

/** One stored file, as the index takes it. */
export interface IndexedInstance {
  /** Patient ID and issuer; of an instance without Patient ID its study: such patients are not the same (PS3.3 C.7.1.1). */
  readonly patientKey: string
  readonly patient: LevelRow
  readonly studyInstanceUid: string
  readonly study: LevelRow
  readonly seriesInstanceUid: string
  readonly series: LevelRow
  readonly sopInstanceUid: string
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  readonly instance: LevelRow
  /** Below the storage folder, with `/`. */
  readonly path: string
  readonly sizeBytes: number
  readonly storedAtMs: number
}
