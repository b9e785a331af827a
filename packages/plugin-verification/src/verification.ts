import { createRequire } from 'node:module'
import { DEFAULT_TRANSFER_SYNTAXES, SopClass, Stage, definePlugin } from '@dicomtap/framework'
import type { PluginFactory } from '@dicomtap/framework'
import { EchoLog } from './echo-log.ts'
import { verificationOptions } from './options.ts'
import type { VerificationService } from './service.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/**
 * The Verification service class (PS3.4 annex A) as SCP: answers C-ECHO with success, unless another plugin
 * answered before, and remembers who asked.
 *
 * @example
 * await ae.use(verification())
 */
export const verification: PluginFactory<typeof verificationOptions> = definePlugin({
  name: 'verification',
  version,
  framework: `>=${version} <1`,
  options: verificationOptions,

  apply(api, { maximumPeers }) {
    const echoes = new EchoLog(maximumPeers)
    api.supportSopClass({ uid: SopClass.Verification, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    // Last of all: whoever wants to answer otherwise taps the hook at an earlier stage.
    api.hooks.cEcho.tap({ stage: Stage.Fallback }, () => 0x0000)

    // Whoever answered, the peer asked.
    api.hooks.operationCompleted.tap({ sopClasses: [SopClass.Verification] }, ({ operation, status, responses }) => {
      if (operation.service !== 'C-ECHO' || responses === 0) return
      const { association } = operation
      const { callingAeTitle } = association
      const address = plainAddress(association.remoteAddress)
      const { count } = echoes.add(callingAeTitle, address, status)
      api.log.debug('echo', { association: association.id, callingAeTitle, address, status, count })
    })

    api.hooks.warmUp.tapPromise(async ({ rehearsal }) => {
      await rehearsal.use(verification({ maximumPeers }))
    })

    const service: VerificationService = {
      lastEchoes: () => echoes.list(),
      lastEcho: (callingAeTitle) => echoes.last(callingAeTitle),
    }
    api.provideService('verification', service)
  },
})

/** An IPv4 peer of a socket that takes both comes as `::ffff:10.0.4.17`. */
function plainAddress(remoteAddress: string): string {
  return remoteAddress.replace(/^::ffff:(?=[\d.]+$)/i, '')
}
