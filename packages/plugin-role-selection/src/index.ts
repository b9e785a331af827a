export { roleSelectionOptions } from './options.ts'
export type { ProposalRule, ResolvedRoleSelectionOptions, RoleRule, RoleSelectionOptions } from './options.ts'
export { roleSelection } from './role-selection.ts'
