import { readFile } from 'node:fs/promises'
import test from 'ava'
import { SopClass, Stage, definePlugin, listTaps } from '@dicomtap/framework'
import type { AssociateOptions, OperationsWindow, OutgoingAssociationOptions } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { asyncOperations, asyncOperationsOptions } from '@dicomtap/plugin-async-operations'
import type { AsyncOperationsOptions } from '@dicomtap/plugin-async-operations'
import { z } from 'zod'

const CONTEXTS = [{ abstractSyntax: SopClass.Verification, transferSyntaxes: ['1.2.840.10008.1.2'] }]

function serverWith(options: AsyncOperationsOptions = {}, limits = {}): Promise<TestServer> {
  return createTestServer({ contexts: CONTEXTS, limits, plugins: [asyncOperations(options)] })
}

/** What the server answers to a window: `invoked performed` as in the item, or `none`. */
async function answered(target: TestServer | number, proposed: readonly [invoked: number, performed: number] | undefined, callingAeTitle = 'CT01'): Promise<string> {
  const [maximumNumberOperationsInvoked = 0, maximumNumberOperationsPerformed = 0] = proposed ?? []
  const item = { type: 0x53, maximumNumberOperationsInvoked, maximumNumberOperationsPerformed } as const
  await using scu = await testScu(target, { callingAeTitle, userInformation: proposed === undefined ? [] : [item] })
  const items = scu.accept.userInformation.flatMap((one) => (one.type === 0x53 && 'maximumNumberOperationsInvoked' in one ? [one] : []))
  return items.map((one) => `${one.maximumNumberOperationsInvoked} ${one.maximumNumberOperationsPerformed}`).join() || 'none'
}

/** The window that this side would propose. */
async function proposedBy(server: TestServer, peer: Partial<OutgoingAssociationOptions> = {}): Promise<OperationsWindow | undefined> {
  const outgoing: OutgoingAssociationOptions = {
    host: 'pacs.hospital',
    port: 104,
    calledAeTitle: 'PACS',
    callingAeTitle: 'DICOMTAP',
    contexts: [{ abstractSyntax: SopClass.Verification }],
    sopClassExtended: [],
    sopClassCommonExtended: [],
    ...peer,
  }
  return (await server.ae.hooks.outgoingAssociation.promise(outgoing, undefined)).asynchronousOperations
}

// ── as acceptor ─────────────────────────────────────────────────────────────────────────────────────────

test('without options up to 8 are granted each way, and never more than proposed', async (t) => {
  await using server = await serverWith()
  t.is(await answered(server, [50, 50]), '8 8')
  t.is(await answered(server, [3, 1]), '3 1')
  t.is(await answered(server, [1, 1]), '1 1')
  // 0 is unlimited (PS3.7 D.3.3.3).
  t.is(await answered(server, [0, 0]), '8 8')
  t.is(await answered(server, undefined), 'none')
})

test('the item speaks of the requestor: what it invokes is performed here', async (t) => {
  await using server = await serverWith({ acceptor: { performed: 20, invoked: 2 } })
  t.is(await answered(server, [50, 50]), '20 2')
  t.is(await answered(server, [0, 1]), '20 1')
})

test('0 is as many as the limits allow, in a number of its own', async (t) => {
  await using server = await serverWith({ acceptor: { performed: 0, invoked: 0 } }, { maximumPerformedOperations: 33, maximumInvokedOperations: 44 })
  t.is(await answered(server, [0, 0]), '33 44')
  t.is(await answered(server, [65_535, 65_535]), '33 44')
  t.is(await answered(server, [5, 0]), '5 44')
  await using wide = await serverWith({ acceptor: { performed: 0 } }, { maximumPerformedOperations: 1_000_000 })
  t.is(await answered(wide, [0, 0]), '65535 8')
})

test('rules for peers: the first one that fits, by title and address, the rest from the role', async (t) => {
  await using server = await serverWith({
    acceptor: { performed: 4, invoked: 5 },
    peers: [
      { aeTitle: 'CT01', off: true },
      { aeTitle: 'CT*', performed: 16 },
      { aeTitle: 'ROUTER', host: '10.9.9.9', performed: 32 },
      { aeTitle: 'ROUTER', invoked: 2 },
      { host: '127.0.0.1', performed: 7, invoked: 7 },
    ],
  })
  t.is(await answered(server.port, [50, 50], 'CT01'), 'none')
  t.is(await answered(server.port, [50, 50], 'CT02'), '16 5')
  t.is(await answered(server.port, [50, 50], 'CT'), '16 5')
  t.is(await answered(server.port, [50, 50], 'ROUTER'), '4 2')
  t.is(await answered(server.port, [50, 50], 'OTHER'), '7 7')
  t.is(await answered(server.port, [50, 50], 'ct01'), '7 7', 'titles are compared with their case')
  await using elsewhere = await serverWith({ peers: [{ host: '10.9.9.9', off: true }] })
  t.is(await answered(elsewhere.port, [50, 50]), '8 8')
})

test('off as acceptor: no item, unless a rule switches it on', async (t) => {
  await using server = await serverWith({ acceptor: { off: true }, peers: [{ aeTitle: 'CT01', off: false }, { aeTitle: 'CT02', performed: 3 }] })
  t.is(await answered(server, [50, 50], 'OTHER'), 'none')
  t.is(await answered(server, [50, 50], 'CT01'), '8 8')
  t.is(await answered(server, [50, 50], 'CT02'), 'none')
  t.deepEqual(await proposedBy(server), { performed: 8, invoked: 8 })
})

test('another plugin that answers earlier wins', async (t) => {
  const other = definePlugin({
    name: 'dicomtap-plugin-other',
    apply: (api) => api.hooks.asyncOperations.tap({ stage: Stage.Default }, () => ({ invoked: 2, performed: 3 })),
  })
  await using server = await createTestServer({ contexts: CONTEXTS, plugins: [asyncOperations(), other()] })
  t.is(await answered(server, [50, 50]), '2 3')
})

// ── as requestor ────────────────────────────────────────────────────────────────────────────────────────

test('a window is proposed, unless there is one, the peer is switched off or the role is', async (t) => {
  await using server = await serverWith({
    requestor: { invoked: 4 },
    peers: [
      { aeTitle: 'OLDCT*', off: true },
      { host: 'RAW.hospital', off: true },
      { aeTitle: 'ROUTER', performed: 0, invoked: 16 },
    ],
  })
  t.deepEqual(await proposedBy(server), { performed: 8, invoked: 4 })
  t.deepEqual(await proposedBy(server, { asynchronousOperations: { performed: 1, invoked: 2 } }), { performed: 1, invoked: 2 })
  t.is(await proposedBy(server, { calledAeTitle: 'OLDCT3' }), undefined)
  t.deepEqual(await proposedBy(server, { calledAeTitle: 'OLDC' }), { performed: 8, invoked: 4 })
  t.is(await proposedBy(server, { host: 'raw.hospital' }), undefined)
  t.deepEqual(await proposedBy(server, { calledAeTitle: 'ROUTER' }), { performed: 64, invoked: 16 })
  await using silent = await serverWith({ requestor: { off: true } })
  t.is(await proposedBy(silent), undefined)
  t.is(await answered(silent, [50, 50]), '8 8')
})

test('the window that two sides agree on', async (t) => {
  await using scp = await serverWith({ acceptor: { performed: 4, invoked: 2 } })
  await using scu = await serverWith({ requestor: { invoked: 6, performed: 3 }, peers: [{ aeTitle: 'OLDCT', off: true }] })
  const agreed = async (more: Partial<AssociateOptions> = {}, acceptor = scp): Promise<unknown> => {
    const contexts = [{ abstractSyntax: SopClass.Verification }]
    const association = await scu.ae.associate({ host: '127.0.0.1', port: acceptor.port, calledAeTitle: 'PACS', contexts, ...more })
    const { asynchronousOperations, request } = association
    t.deepEqual(acceptor.ae.activeAssociations.at(-1)?.asynchronousOperations, asynchronousOperations, 'both sides know the same')
    await association.release()
    const item = request?.userInformation.find((one) => one.type === 0x53)
    return item === undefined ? 'not proposed' : asynchronousOperations
  }
  t.deepEqual(await agreed(), { invoked: 4, performed: 2 })
  t.deepEqual(await agreed({ asynchronousOperations: { invoked: 3, performed: 1 } }), { invoked: 3, performed: 1 })
  t.is(await agreed({ calledAeTitle: 'OLDCT' }), 'not proposed')
  await using silent = await createTestServer({ contexts: CONTEXTS })
  t.deepEqual(await agreed({}, silent), { invoked: 1, performed: 1 })
})

// ── options ─────────────────────────────────────────────────────────────────────────────────────────────

test('the taps stand last, under the name of the plugin', async (t) => {
  await using server = await serverWith()
  const taps = listTaps(server.ae.hooks).flatMap(({ hook, taps }) => taps.map(({ plugin, stage }) => `${hook} ${plugin} ${stage}`))
  t.deepEqual(taps.filter((tap) => tap.includes('async-operations')).sort(), [
    'asyncOperations async-operations 1000',
    'outgoingAssociation async-operations 1000',
  ])
})

for (const [options, complaint] of [
  [{ performed: 3 }, /performed/],
  [{ acceptor: { performed: -1 } }, /options\.acceptor\.performed/],
  [{ acceptor: { performed: 65_536 } }, /options\.acceptor\.performed/],
  [{ requestor: { invoked: 1.5 } }, /options\.requestor\.invoked/],
  [{ peers: [{ off: true }] }, /options\.peers\[0\]: names no peer/],
  [{ peers: [{ aeTitle: 'CT01' }] }, /options\.peers\[0\]: changes nothing/],
  [{ peers: [{ aeTitle: 'CT01', off: true, invoked: 2 }] }, /options\.peers\[0\]: has off and numbers/],
  [{ peers: [{ aeTitle: 'SEVENTEEN_LETTERS', off: true }] }, /options\.peers\[0\]\.aeTitle: must be an AE title/],
  [{ peers: [{ aeTitle: 'CT01', of: true }] }, /of/],
] as const) {
  test(`refused: ${JSON.stringify(options)}`, async (t) => {
    const error = await t.throwsAsync(serverWith(options as AsyncOperationsOptions), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
    t.regex(error.message, complaint)
  })
}

test('schema.json is that of the options, and the README names every one', async (t) => {
  const schema = z.toJSONSchema(asyncOperationsOptions, { io: 'input', unrepresentable: 'any' })
  const file = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(file, schema, 'run "npm run build && node scripts/write-schemas.mjs"')
  const rows = (await readFile(new URL('../README.md', import.meta.url), 'utf8')).split('\n').filter((line) => line.startsWith('| `'))
  const names = [...JSON.stringify(schema).matchAll(/"(\w+)":\{[^{}]*"description"/g)].map(([, name = '']) => name)
  t.deepEqual([...new Set(names)].toSorted(), ['acceptor', 'aeTitle', 'host', 'invoked', 'off', 'peers', 'performed', 'requestor'])
  for (const name of names) t.true(rows.some((row) => row.includes(`\`${name}\``)), name)
})
