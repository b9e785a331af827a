import test from 'ava'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { NCreateRequest } from '../../dist/dimse/types.js'
import { StatusError } from '../../dist/errors/index.js'
import { createTestServer } from '../../dist/testing/index.js'
import type { ReceivedMessage, TestServerOptions } from '../../dist/testing/index.js'
import { connected } from '../support/connections.ts'
import { IDENTIFIER, PROPOSED, requestOf, REQUESTS, SUPPORTED } from '../support/requests.ts'
import {
  BASIC_GRAYSCALE_PRINT_META,
  CT_IMAGE,
  FILM_SESSION,
  IMPLICIT_LE,
  MPPS,
  STORAGE_COMMITMENT,
  UPS_PULL,
  UPS_PUSH,
  VERIFICATION,
} from '../support/uids.ts'

const N_SERVICES = REQUESTS.filter(({ service }) => service.startsWith('N-'))

/** One request on a fresh association, and its response. */
async function exchange(
  options: TestServerOptions,
  contextId: number,
  command: CommandSet,
  dataSet?: Uint8Array,
  contexts: readonly (readonly [string, ...string[]])[] = PROPOSED,
): Promise<ReceivedMessage> {
  await using server = await createTestServer({ contexts: SUPPORTED, ...options })
  using peer = connected(server)
  await peer.associate({ contexts })
  await peer.sendMessage(contextId, command, dataSet)
  const response = await peer.receiveMessage()
  await peer.release()
  return response
}

for (const { service, hook, contextId, command, dataSet } of N_SERVICES) {
  // PS3.7 10.3.6.2: an N-DELETE-RSP has no data set.
  const rule = service === 'N-DELETE' ? 'a data set is never sent' : 'a data set goes with a success or a warning, never with a failure'
  test(`${service}: ${rule}`, async (t) => {
    for (const [status, mayBeSent] of [
      [0x0000, true],
      [0x0107, true],
      [0xb300, true],
      [0x0110, false],
      [0x0112, false],
      [0xc310, false],
    ] as const) {
      const isSent = mayBeSent && service !== 'N-DELETE'
      for (const dataset of [{ PatientID: '42' }, IDENTIFIER]) {
        const response = await exchange({ handlers: { [hook]: () => ({ status, dataset }) } }, contextId, command, dataSet)
        const name = `${status.toString(16)} with a data set`
        t.is(response.command.status, status, name)
        t.is(response.command.commandDataSetType, isSent ? 1 : 0x0101, name)
        t.deepEqual(response.dataSet, isSent ? Buffer.from(IDENTIFIER) : undefined, name)
      }
    }
    const bare = await exchange({ handlers: { [hook]: () => 0 } }, contextId, command, dataSet)
    t.like(bare.command, { status: 0, commandDataSetType: 0x0101 })
  })

  if (service === 'N-DELETE') continue
  test(`${service}: a data set that cannot be encoded is a processing failure`, async (t) => {
    for (const dataset of [{ NoSuchKeyword: '1' }, 'text', 5, [], null]) {
      const response = await exchange({ handlers: { [hook]: () => ({ status: 0, dataset }) as never } }, contextId, command, dataSet)
      t.like(response.command, { status: 0x0110, commandDataSetType: 0x0101, errorComment: 'Processing failure' })
    }
  })
}

test('the request of each N service carries its own elements to the handler', async (t) => {
  const seen: Record<string, unknown>[] = []
  const handlers = Object.fromEntries(N_SERVICES.map(({ hook }) => [hook, (request: Record<string, unknown>) => (seen.push(request), 0)]))
  await using server = await createTestServer({ contexts: SUPPORTED, handlers })
  using peer = connected(server)
  await peer.associate({ contexts: PROPOSED })
  for (const { contextId, command, dataSet } of N_SERVICES) {
    await peer.sendMessage(contextId, command, dataSet)
    await peer.receiveMessage()
  }
  const [eventReport, get, set, action, create, remove] = seen
  t.like(eventReport, { affectedSopClassUid: STORAGE_COMMITMENT, affectedSopInstanceUid: '1.2.3.4', eventTypeId: 1 })
  t.like(get, { requestedSopClassUid: MPPS, requestedSopInstanceUid: '1.2.3.4', attributeIdentifierList: [0x00100010] })
  t.like(set, { requestedSopClassUid: MPPS, requestedSopInstanceUid: '1.2.3.4' })
  t.like(action, { requestedSopClassUid: STORAGE_COMMITMENT, actionTypeId: 1 })
  t.like(create, { affectedSopClassUid: MPPS, affectedSopInstanceUid: '1.2.3.4' })
  t.like(remove, { requestedSopClassUid: MPPS, requestedSopInstanceUid: '1.2.3.4' })
  for (const [request, name] of [
    [eventReport, 'eventInformation'],
    [set, 'modificationList'],
    [action, 'actionInformation'],
    [create, 'attributeList'],
  ] as const) {
    t.like(request?.[name], { transferSyntaxUid: IMPLICIT_LE, receivedBytes: IDENTIFIER.length }, name)
  }
})

test('data sets that are optional may be left out', async (t) => {
  for (const [service, name] of [
    ['N-EVENT-REPORT', 'eventInformation'],
    ['N-ACTION', 'actionInformation'],
    ['N-CREATE', 'attributeList'],
  ] as const) {
    const { hook, contextId, command } = requestOf(service)
    let given: unknown = 'not asked'
    const handler = (request: Record<string, unknown>): number => {
      given = request[name]
      return 0
    }
    const response = await exchange({ handlers: { [hook]: handler } }, contextId, { ...command, commandDataSetType: 0x0101 })
    t.is(response.command.status, 0, service)
    t.is(given, undefined, service)
  }
})

test('an N-GET without an attribute list asks for everything', async (t) => {
  const { contextId, command } = requestOf('N-GET')
  let list: readonly number[] | undefined
  await exchange({ handlers: { nGet: (request) => ((list = request.attributeIdentifierList), 0) } }, contextId, {
    ...command,
    attributeIdentifierList: undefined,
  })
  t.deepEqual(list, [])
})

test('an attribute list in the answer reaches the peer', async (t) => {
  const { contextId, command } = requestOf('N-GET')
  const response = await exchange({ handlers: { nGet: () => ({ status: 0x0107, attributeIdentifierList: [0x00100020] }) } }, contextId, command)
  t.like(response.command, { status: 0x0107, attributeIdentifierList: [0x00100020] })
})

test('a StatusError tells what it has: to N services the list of attributes too', async (t) => {
  const { contextId, command } = requestOf('N-CREATE')
  const details = { errorComment: 'Missing', errorId: 7, offendingElements: [0x00100020], attributeIdentifierList: [0x00100020] }
  const fail = () => {
    throw new StatusError(0x0120, details)
  }
  t.like((await exchange({ handlers: { nCreate: fail } }, contextId, command, requestOf('N-CREATE').dataSet)).command, { status: 0x0120, ...details })
  const echo = requestOf('C-ECHO')
  const response = await exchange({ handlers: { cEcho: fail } }, echo.contextId, echo.command)
  t.like(response.command, { status: 0x0120, ...details, attributeIdentifierList: undefined })
})

// ── N-CREATE (PS3.7 10.1.5) ─────────────────────────────────────────────────────────────────────────────

test('N-CREATE: who names the instance, and what the response says', async (t) => {
  const { contextId, command, dataSet } = requestOf('N-CREATE')
  const answered = async (inRequest: string | undefined, answer: unknown): Promise<CommandSet> => {
    const handler = (request: NCreateRequest): never => {
      t.is(request.affectedSopInstanceUid, inRequest)
      return answer as never
    }
    return (await exchange({ handlers: { nCreate: handler } }, contextId, { ...command, affectedSopInstanceUid: inRequest }, dataSet)).command
  }
  t.like(await answered('1.2.3', 0), { status: 0, affectedSopInstanceUid: '1.2.3' })
  t.like(await answered('1.2.3', { status: 0, affectedSopInstanceUid: '9.9' }), { affectedSopInstanceUid: '1.2.3' }, 'the peer has named it')
  t.like(await answered(undefined, { status: 0, affectedSopInstanceUid: '1.9.9' }), { status: 0, affectedSopInstanceUid: '1.9.9' })
  t.like(await answered(undefined, { status: 0x0116, affectedSopInstanceUid: '1.9.9' }), { status: 0x0116, affectedSopInstanceUid: '1.9.9' })
  t.like(await answered(undefined, 0), { status: 0x0110, errorComment: 'No SOP Instance UID was assigned', affectedSopInstanceUid: undefined })
  t.like(await answered(undefined, { status: 0x0213 }), { status: 0x0213, affectedSopInstanceUid: undefined }, 'a failure names none')
})

// ── contexts of more than one SOP class ─────────────────────────────────────────────────────────────────

test('a Meta SOP class context carries requests on its classes, and on no others', async (t) => {
  const supported = { contexts: [{ abstractSyntax: BASIC_GRAYSCALE_PRINT_META, transferSyntaxes: [IMPLICIT_LE] }] }
  const contexts = [[BASIC_GRAYSCALE_PRINT_META]] as const
  const create = { ...requestOf('N-CREATE').command, affectedSopClassUid: FILM_SESSION }
  let sopClass: string | undefined
  const handlers = {
    nCreate: (_request: NCreateRequest, operation: { sopClassUid: string }) => {
      sopClass = operation.sopClassUid
      return 0
    },
  }
  const response = await exchange({ ...supported, handlers }, 1, create, IDENTIFIER, contexts)
  t.like(response.command, { status: 0, affectedSopClassUid: FILM_SESSION })
  t.is(sopClass, FILM_SESSION)
  for (const other of [MPPS, CT_IMAGE, VERIFICATION, '1.2.3.4.5']) {
    const refused = await exchange({ ...supported, handlers }, 1, { ...create, affectedSopClassUid: other }, IDENTIFIER, contexts)
    t.is(refused.command.status, 0x0118, other)
  }
})

test('UPS classes stand in for each other (PS3.4 CC.1)', async (t) => {
  const supported = { contexts: [{ abstractSyntax: UPS_PULL, transferSyntaxes: [IMPLICIT_LE] }] }
  const get = { ...requestOf('N-GET').command, requestedSopClassUid: UPS_PUSH }
  const response = await exchange({ ...supported, handlers: { nGet: () => 0 } }, 1, get, undefined, [[UPS_PULL]])
  t.like(response.command, { status: 0, affectedSopClassUid: UPS_PUSH })
})

test('a C service names the class of its context, also where that is a service of many', async (t) => {
  const supported = { contexts: [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }] }
  const store = { ...requestOf('C-STORE').command, affectedSopClassUid: '1.2.840.10008.5.1.4.1.1.4' }
  const response = await exchange({ ...supported, handlers: { cStore: () => 0 } }, 1, store, IDENTIFIER, [[CT_IMAGE]])
  t.is(response.command.status, 0x0122)
})

test('N-EVENT-REPORT is taken as SCU and as SCP, everything else as SCP alone', async (t) => {
  const roles = { scu: true, scp: true }
  await using server = await createTestServer({
    contexts: [{ abstractSyntax: STORAGE_COMMITMENT, transferSyntaxes: [IMPLICIT_LE], roles }],
    handlers: { nEventReport: () => 0, nAction: () => 0 },
  })
  using peer = connected(server)
  // The requestor will be SCP: this side is SCU.
  await peer.associate({ contexts: [[STORAGE_COMMITMENT]], roles: [{ sopClassUid: STORAGE_COMMITMENT, scuRole: false, scpRole: true }] })
  await peer.sendMessage(1, requestOf('N-EVENT-REPORT').command, IDENTIFIER)
  t.is((await peer.receiveMessage()).command.status, 0)
  await peer.sendMessage(1, requestOf('N-ACTION').command, IDENTIFIER)
  t.is((await peer.receiveMessage()).command.status, 0x0122)
})
