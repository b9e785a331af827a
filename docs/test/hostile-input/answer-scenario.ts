import { ApplicationEntity, SopClass, StudyRoot, TransferSyntax } from '@dicomtap/framework'
import type { ApplicationEntityOptions, Association } from '@dicomtap/framework'
import { scriptedListener } from '@dicomtap/framework/testing'
import type { ScriptedPeer } from '@dicomtap/framework/testing'
import { ACCEPT } from './answer-rows.js'
import { describe } from './scenario.js'

/** What a peer answers to an association request of this side, or to a request in it. */
export interface AnswerScenario {
  readonly options?: ApplicationEntityOptions
  /** In place of a good A-ASSOCIATE-AC; undefined: nothing. */
  readonly accept?: Uint8Array | undefined
  /** What this side asks for. Without it the caller waits for the association alone. */
  readonly invoke?: (association: Association) => Promise<unknown>
  /** Sent when the request has arrived, or the association stands. */
  readonly answers?: readonly Uint8Array[]
  /** The peer closes the connection then. */
  readonly isClosed?: boolean
  /** The peer gets something although the caller has what it asked for. */
  readonly isReadOn?: boolean
}


const CONTEXTS = [SopClass.Verification, StudyRoot.Find].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] }))

/** What the peer gets and what the caller gets, in the words of the page. */
export async function outcomeOf(scenario: AnswerScenario): Promise<readonly [peer: string, caller: string]> {
  const { options, invoke, answers = [], isClosed = false, isReadOn = false } = scenario
  const accept = 'accept' in scenario ? scenario.accept : ACCEPT
  await using listener = await scriptedListener()
  const ae = new ApplicationEntity({ aeTitle: 'HOSTILE', logLevel: 'silent', ...options })
  try {
    const associating = ae.associate({ host: '127.0.0.1', port: listener.port, contexts: CONTEXTS })
    const caller = settled(invoke === undefined ? associating : associating.then(invoke))
    const peer = await listener.accept()
    await peer.receiveRawPdu()
    if (accept !== undefined) await peer.send(accept)
    const isAnswering = invoke !== undefined && (await associating.then(
      () => true,
      () => false,
    ))
    if (isAnswering) await receiveRequest(peer)
    for (const bytes of answers) await peer.send(bytes)
    if (isClosed) peer.end()
    const got = await caller
    return [isReadOn || got.startsWith('DICOMTAP_') ? await nextOf(peer) : 'nothing', got]
  } finally {
    await ae.close({ deadlineMs: 0 })
  }
}

async function settled(work: Promise<unknown>): Promise<string> {
  try {
    const result = await work
    const status = typeof result === 'number' ? result : (result as { status?: number } | undefined)?.status
    if (result === undefined) return 'the end, without an error'
    return status === undefined ? 'the association' : `status ${status.toString(16).toUpperCase().padStart(4, '0')}`
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

/** A-RELEASE-RQ, or a command with its data set: Command Data Set Type (0000,0800) is 1 then. */
async function receiveRequest(peer: ScriptedPeer): Promise<void> {
  const bytes = await peer.receiveRawPdu()
  if (bytes.includes(Buffer.from([0, 0, 0, 8, 2, 0, 0, 0, 1, 0]))) await peer.receiveRawPdu()
}

async function nextOf(peer: ScriptedPeer): Promise<string> {
  try {
    return describe(await peer.receiveRawPdu(2_000))
  } catch (error) {
    return peer.isClosed ? describe(undefined) : String(error)
  }
}
