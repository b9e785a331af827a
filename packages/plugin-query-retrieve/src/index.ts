export { queryRetrieve } from './query-retrieve.ts'
export { queryRetrieveOptions } from './options.ts'
export type { DatabaseOptions, ExtraAttribute, QueryRetrieveOptions, ResolvedQueryRetrieveOptions, RetentionOptions } from './options.ts'
