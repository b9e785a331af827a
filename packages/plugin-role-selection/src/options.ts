import { z } from 'zod'
import { selectorProblem, sopClassSelector } from './sop-class-selector.ts'

/** What the requestor of an association may be for some SOP classes. */
export interface RoleRule {
  /** Keywords, UIDs, service classes such as `storage`, `c-get` for everything that is retrieved by C-GET, or `*`. */
  readonly sopClasses: readonly string[]
  /** Calling AE titles; a `*` at the end stands for any rest. Undefined: everybody. */
  readonly peers?: readonly string[] | undefined
  readonly scu: 'allow' | 'refuse'
  readonly scp: 'allow' | 'refuse'
}

/** What this side proposes to be for some SOP classes when it requests an association. */
export interface ProposalRule {
  readonly sopClasses: readonly string[]
  /** Only when the association also has a context of one of these. Undefined: always. */
  readonly with?: readonly string[] | undefined
  /** Called AE titles; a `*` at the end stands for any rest. Undefined: everybody. */
  readonly peers?: readonly string[] | undefined
  readonly role: 'scu' | 'scp' | 'both' | 'none'
}

/** The same with defaults filled in. */
export interface ResolvedRoleSelectionOptions {
  readonly roles: readonly RoleRule[]
  readonly propose: readonly ProposalRule[]
}

/** What is written in a config. */
export interface RoleSelectionOptions {
  /** Asked in order, before the rules that come with the plugin; the first one that fits counts. */
  readonly roles?: readonly (Omit<RoleRule, 'scu' | 'scp'> & { readonly scu?: RoleRule['scu'] | undefined; readonly scp?: RoleRule['scp'] | undefined })[] | undefined
  /** As `roles`, for associations that this side requests. */
  readonly propose?: readonly ProposalRule[] | undefined
}

const sopClasses = z
  .array(
    z.string().superRefine((name, context) => {
      if (sopClassSelector(name) === undefined) context.addIssue({ code: 'custom', message: selectorProblem(name) })
    }),
  )
  .min(1)

const peers = z
  // PS3.5 6.2, VR AE.
  .array(z.string().regex(/^[\x20-\x5b\x5d-\x7e]{1,16}$/, { error: 'must be an AE title of 1 to 16 characters; a * at the end stands for any rest' }))
  .min(1)
  .optional()

const permission = z.enum(['allow', 'refuse'])
const NAMES = 'keywords, UIDs, service classes such as storage, c-get for everything that is retrieved by C-GET, or *'

const roleRule = z.strictObject({
  sopClasses: sopClasses.describe(`SOP classes: ${NAMES}`),
  peers: peers.describe('Calling AE titles; a * at the end stands for any rest. Default: everybody'),
  scu: permission.default('allow').describe('May the peer be SCU'),
  scp: permission.default('refuse').describe('May the peer be SCP'),
})

const proposalRule = z.strictObject({
  sopClasses: sopClasses.describe(`SOP classes: ${NAMES}`),
  with: sopClasses.optional().describe('Only when the association also has a context of one of these SOP classes. Default: always'),
  peers: peers.describe('Called AE titles; a * at the end stands for any rest. Default: everybody'),
  role: z.enum(['scu', 'scp', 'both', 'none']).describe('What this side proposes to be; none: no item'),
})

/** The schema of the options; `schema.json` is made from it. */
export const roleSelectionOptions: z.ZodType<ResolvedRoleSelectionOptions, RoleSelectionOptions> = z
  .strictObject({
    roles: z
      .array(roleRule)
      .default([])
      .describe('What peers may be on associations that they request. Asked in order, before the rules that come with the plugin; the first one that fits counts'),
    propose: z
      .array(proposalRule)
      .default([])
      .describe('What this side proposes to be on associations that it requests. As roles: in order, before the rule that comes with the plugin'),
  })
  .describe('Options of @dicomtap/plugin-role-selection')
