/** The part of dcmjs that is used here; the package has no types of its own. */
declare module 'dcmjs' {
  interface DictionaryEntry {
    /** `(0010,0010)` */
    readonly tag: string
    /** A VR, or `ox`, `xs`, `lt`, `up` where it depends on other attributes. */
    readonly vr: string
    readonly name: string
  }
  export const data: {
    readonly DicomMetaDictionary: { readonly nameMap: Readonly<Record<string, DictionaryEntry>> }
  }
  export const utilities: {
    /** Lets the attributes of the only item of a sequence be reached through the sequence. */
    addAccessors<T extends object>(values: T[], first: T | undefined): T[]
    readonly dicomJson: {
      /** Gives person names a `toString` and a `toJSON`. */
      pnAddValueAccessors<T extends object>(value: T): T
    }
  }
}
