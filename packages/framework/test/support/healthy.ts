import type { ExecutionContext } from 'ava'
import { scriptedPeer } from '../../dist/testing/index.js'
import type { TestServer } from '../../dist/testing/index.js'
import { requestOf } from './requests.ts'
import { VERIFICATION } from './uids.ts'

/** A peer like any other is served over TCP: associates, C-ECHO 0000, releases. */
export async function healthy(t: ExecutionContext, { port }: Pick<TestServer, 'port'>, after: string): Promise<void> {
  using peer = await scriptedPeer(port)
  await peer.associate({ contexts: [[VERIFICATION]], callingAeTitle: 'HEALTHY' })
  await peer.sendMessage(1, requestOf('C-ECHO').command)
  t.is((await peer.receiveMessage()).command.status, 0, `C-ECHO after ${after}`)
  await peer.release()
}
