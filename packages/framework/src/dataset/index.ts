export type { DataSet } from './types.ts'
export {
  isPrivateUid,
  isStorageSopClass,
  isValidUid,
  registerSopClass,
  sopClassByKeyword,
  sopClassByUid,
  sopClassKeywords,
  sopClassesOf,
  storageSopClasses,
  transferSyntaxByKeyword,
  transferSyntaxByUid,
} from './registry.ts'
export type { SopClassRegistration, SopClassSelection } from './registry.ts'
export { SOP_CLASSES, SopClass, WellKnownInstance } from './sop-classes.ts'
export type { ServiceClass, SopClassEntry } from './sop-classes.ts'
export {
  ALL_TRANSFER_SYNTAXES,
  DEFAULT_TRANSFER_SYNTAXES,
  TRANSFER_SYNTAXES,
  TransferSyntax,
} from './transfer-syntaxes.ts'
export type { TransferSyntaxEncoding, TransferSyntaxEntry } from './transfer-syntaxes.ts'
export {
  defaultTransferSyntaxesOf,
  defaultTransferSyntaxListsOf,
  presentationContextsFor,
  VIDEO_TRANSFER_SYNTAXES,
} from './presentation-contexts.ts'
export type { PresentationContextsOptions, SopClassToPropose } from './presentation-contexts.ts'
export { presentationContexts } from './presentation-context-lists.ts'
export type { PresentationContexts } from './presentation-context-lists.ts'
export * from './query-models.ts'
export { canConvertDataSet, convertDataSet } from './convert.ts'
export { withoutBulkData } from './without-bulk-data.ts'
export { decodeDataSet, encodeDataSet } from './codec.ts'
export type { DecodeOptions } from './codec.ts'
export { canEncodeText } from './can-encode-text.ts'
export { loadDictionary } from './dictionary.ts'
export type { Attribute, Dictionary } from './dictionary.ts'
export { selectAttributes } from './select-attributes.ts'
export type { SelectedAttributes } from './select-attributes.ts'
export { readFileAttributes } from './read-file-attributes.ts'
export type { FileAttributes, ReadFileAttributesOptions } from './read-file-attributes.ts'
export { headReader } from './head-reader.ts'
export type { EncodedElement, HeadReader } from './head-reader.ts'
export { createUid } from './uid.ts'
export { checkDataSetStructure } from './structure.ts'
export type { StructureLimits } from './structure.ts'
export { DataSetHeadParser } from './head-parser.ts'
export type { HeadParserOptions } from './head-parser.ts'
export { decodePart10Header, encodePart10Header } from './file-meta.ts'
export type { DecodedFileMeta, FileMeta, Part10Header } from './file-meta.ts'
