import { createRequire } from 'node:module'
import { Stage, definePlugin } from '@dicomtap/framework'
import type { Limits, PluginFactory } from '@dicomtap/framework'
import { LARGEST_COUNT, asyncOperationsOptions } from './options.ts'
import type { Window } from './options.ts'
import { windowFor } from './policy.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/**
 * Negotiates the asynchronous operations window (PS3.7 D.3.3.3) in both roles, so that peers and this side
 * may have several operations under way on one association. The framework runs them.
 *
 * @example
 * await ae.use(asyncOperations({ peers: [{ aeTitle: 'OLDCT*', off: true }] }))
 */
export const asyncOperations: PluginFactory<typeof asyncOperationsOptions> = definePlugin({
  name: 'async-operations',
  version,
  framework: `>=${version} <1`,
  options: asyncOperationsOptions,

  apply(api, options) {
    // Last of all: whoever wants to answer or propose otherwise taps the hooks at an earlier stage.
    api.hooks.asyncOperations.tap({ stage: Stage.Fallback }, (_proposed, { association }) => {
      const { callingAeTitle, remoteAddress, settings } = association
      const window = windowFor(options, 'acceptor', { aeTitle: callingAeTitle, host: remoteAddress })
      if (window === undefined) return undefined
      const { performed, invoked } = inNumbers(window, settings.limits)
      // The item speaks of the requestor: what it invokes is performed here.
      return { invoked: performed, performed: invoked }
    })

    api.hooks.outgoingAssociation.tap({ stage: Stage.Fallback }, (outgoing) => {
      if (outgoing.asynchronousOperations !== undefined) return outgoing
      const window = windowFor(options, 'requestor', { aeTitle: outgoing.calledAeTitle, host: outgoing.host })
      if (window === undefined) return outgoing
      return { ...outgoing, asynchronousOperations: inNumbers(window, api.applicationEntity.limits) }
    })
  },
})

/** The item's 0, unlimited, is never sent: it would promise more than is performed, and some peers take it for none. */
function inNumbers({ performed, invoked }: Window, limits: Limits): Window {
  return {
    performed: performed === 0 ? Math.min(limits.maximumPerformedOperations, LARGEST_COUNT) : performed,
    invoked: invoked === 0 ? Math.min(limits.maximumInvokedOperations, LARGEST_COUNT) : invoked,
  }
}
