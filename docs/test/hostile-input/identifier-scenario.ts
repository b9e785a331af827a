import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { decodeCommandSet, encodeDataSet, PatientRoot, StudyRoot, TransferSyntax } from '@dicomtap/framework'
import type { CommandSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { queryRetrieve } from '@dicomtap/plugin-query-retrieve'
import { storage } from '@dicomtap/plugin-storage'
import { abstractSyntax, commandOf, context, NO_DATA_SET, pData, proposing, RELEASE, transferSyntax } from './bytes.js'
import type { IdentifierScenario } from './identifier-rows.js'
import { pdusOf } from './scenario.js'

const FIND = 0x0020
const GET = 0x0010
const MOVE = 0x0021
const SERVICES: Readonly<Record<string, number>> = { [StudyRoot.Find]: FIND, [PatientRoot.Find]: FIND, [StudyRoot.Get]: GET, [PatientRoot.Get]: GET, [StudyRoot.Move]: MOVE }
const FRAGMENT_BYTES = 16_000

/** A server with an index that holds nothing. */
export async function startArchive(): Promise<AsyncDisposable & { readonly server: TestServer }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-hostile-'))
  const server = await createTestServer({
    plugins: [storage({ directory: path.join(folder, 'data') }), queryRetrieve({ database: { sqlite: path.join(folder, 'index.sqlite') } })],
  })
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Sends a request with an identifier and tells the answer in the words of the page; the association must go on. */
export async function answerToIdentifier({ port }: TestServer, { sopClassUid = StudyRoot.Find, identifier, moveDestination }: IdentifierScenario): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const answers = pdusOf(socket)
  try {
    await once(socket, 'connect')
    socket.write(proposing(context(1, abstractSyntax(sopClassUid), transferSyntax())))
    const accepted = (await answers.next()).value
    if (accepted?.[0] !== 0x02) return 'no association'
    const commandField = SERVICES[sopClassUid] as number
    const destination = commandField === MOVE ? { moveDestination: moveDestination ?? 'PEER' } : {}
    socket.write(commandOf({ commandField, affectedSopClassUid: sopClassUid, messageId: 1, priority: 0, commandDataSetType: 0x0001, ...destination }, 1))
    const bytes = identifier instanceof Uint8Array ? identifier : await encodeDataSet(identifier, TransferSyntax.ImplicitVRLittleEndian)
    for (let at = 0; at === 0 || at < bytes.length; at += FRAGMENT_BYTES) {
      const isLast = at + FRAGMENT_BYTES >= bytes.length
      socket.write(pData(1, isLast ? 2 : 0, bytes.subarray(at, at + FRAGMENT_BYTES)))
    }
    const answer = (await answers.next()).value
    if (answer?.[0] !== 0x04) return `PDU ${answer?.[0]}`
    const response = answerOf(decodeCommandSet(answer.subarray(12)))
    socket.write(RELEASE)
    return (await answers.next()).value?.[0] === 0x06 ? response : `${response}, and the association does not go on`
  } finally {
    socket.destroy()
  }
}

function answerOf({ status, offendingElements = [], errorComment, commandDataSetType }: CommandSet): string {
  const elements = offendingElements.map((tag) => `(${hex(tag >>> 16)},${hex(tag & 0xffff)})`)
  const comment = errorComment === undefined ? '' : `; ${errorComment}`
  const dataSet = commandDataSetType === NO_DATA_SET ? '' : ', with a data set'
  return [`status ${hex(status ?? -1)}`, ...elements].join(', ') + dataSet + comment
}

const hex = (number: number): string => number.toString(16).toUpperCase().padStart(4, '0')
