export { asyncOperations } from './async-operations.ts'
export { asyncOperationsOptions } from './options.ts'
export type { AsyncOperationsOptions, PeerRule, ResolvedAsyncOperationsOptions, RoleSettings, Window } from './options.ts'
