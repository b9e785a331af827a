import { createRequire } from 'node:module'
import { Stage, definePlugin } from '@dicomtap/framework'
import type { PluginFactory, RequestedContext } from '@dicomtap/framework'
import { roleSelectionOptions } from './options.ts'
import { ProposalPolicy, RolePolicy } from './policy.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/**
 * A policy for SCP/SCU role selection (PS3.7 D.3.3.4), per SOP class and peer: what peers may be on
 * associations that they request, and what this side proposes to be on its own.
 *
 * @example
 * await ae.use(roleSelection({ roles: [{ sopClasses: ['storage'], peers: ['MODALITY*'], scp: 'refuse' }] }))
 */
export const roleSelection: PluginFactory<typeof roleSelectionOptions> = definePlugin({
  name: 'role-selection',
  version,
  framework: `>=${version} <1`,
  options: roleSelectionOptions,

  apply(api, options) {
    const policy = new RolePolicy(options.roles)
    const proposals = new ProposalPolicy(options.propose)

    // Last of all: whoever wants to answer or propose otherwise taps the hooks at an earlier stage.
    api.hooks.roleSelection.tap({ stage: Stage.Fallback }, (proposed, { association }) => {
      const { supportedContexts, unrestrictedStorage } = association.settings
      return proposed.flatMap(({ sopClassUid }) => {
        const supported = supportedContexts.get(sopClassUid)?.roles
        const roles = policy.allowed(sopClassUid, association.callingAeTitle, unrestrictedStorage, supported)
        return roles === undefined ? [] : [{ sopClassUid, scuRole: roles.scu, scpRole: roles.scp }]
      })
    })

    api.hooks.outgoingAssociation.tap({ stage: Stage.Fallback }, (outgoing) => {
      const { contexts, calledAeTitle } = outgoing
      const classes = contexts.map(({ abstractSyntax }) => abstractSyntax)
      // The item is per SOP class: where the caller proposed roles on one context, none are added to the others.
      const decided = new Set(contexts.filter(({ roles }) => roles !== undefined).map(({ abstractSyntax }) => abstractSyntax))
      const isUnrestricted = api.config.unrestrictedStorage === true
      const withRoles = (context: RequestedContext): RequestedContext => {
        const { abstractSyntax } = context
        const roles = decided.has(abstractSyntax) ? undefined : proposals.proposed(abstractSyntax, calledAeTitle, isUnrestricted, classes)
        return roles === undefined ? context : { ...context, roles }
      }
      return { ...outgoing, contexts: contexts.map(withRoles) }
    })
  },
})
