import { createRequire } from 'node:module'
import { definePlugin, Stage } from '@dicomtap/framework'
import { options } from './options.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** Lets only listed senders store. An example: replace what it does by what you need. */
export const {{exportName}} = definePlugin({
  name: '{{name}}',
  version,
  framework: '{{frameworkRange}}',
  options,
  apply(api, { senders }) {
    // Stage.Guard: asked before the plugins that store. "dicomtap hooks cStore" explains the hook.
    api.hooks.cStore.tap({ stage: Stage.Guard }, (_request, { association }) => {
      // An answer ends the question. undefined leaves it to the next plugin.
      if (senders.includes(association.callingAeTitle)) return undefined
      api.log.warn('refused an object', { callingAeTitle: association.callingAeTitle })
      return { status: 0x0124, errorComment: 'This sender may not store' }
    })
  },
})
