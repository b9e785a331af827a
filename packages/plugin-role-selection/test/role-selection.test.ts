import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import test from 'ava'
import { SopClass, Stage, TransferSyntax, definePlugin, listTaps } from '@dicomtap/framework'
import type { Association, OutgoingAssociationOptions, RequestedContext, RoleSelection } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import type { TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { roleSelection, roleSelectionOptions } from '@dicomtap/plugin-role-selection'
import type { RoleSelectionOptions } from '@dicomtap/plugin-role-selection'
import { z } from 'zod'

const IMPLICIT_LE = TransferSyntax.ImplicitVRLittleEndian
const CT = SopClass.CTImageStorage
const MR = SopClass.MRImageStorage
const HANGING_PROTOCOL = SopClass.HangingProtocolStorage
const COMMITMENT = SopClass.StorageCommitmentPushModel
const UPS_EVENT = SopClass.UnifiedProcedureStepEvent
const VERIFICATION = SopClass.Verification
const FIND = SopClass.StudyRootQueryRetrieveInformationModelFind
const GET = SopClass.StudyRootQueryRetrieveInformationModelGet
const PRIVATE = '1.3.6.1.4.1.99999.1'

function supporting(...uids: readonly string[]): NonNullable<TestServerOptions['contexts']> {
  return uids.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] }))
}

function serverWith(options: RoleSelectionOptions = {}, server: TestServerOptions = {}): Promise<TestServer> {
  const contexts = supporting(CT, MR, HANGING_PROTOCOL, COMMITMENT, UPS_EVENT, VERIFICATION, FIND, GET)
  return createTestServer({ contexts, plugins: [roleSelection(options)], ...server })
}

/** Letters of a pair of roles, SCU first, as in the tables below. */
const lettersOf = (scu: boolean, scp: boolean): string => `${scu ? 'T' : 'F'}${scp ? 'T' : 'F'}`

function proposal(sopClassUid: string, letters: string): RoleSelection {
  return { sopClassUid, scuRole: letters[0] === 'T', scpRole: letters[1] === 'T' }
}

/** The reply to each proposal: the letters of its item, `refused` with result 1, or `no item`. */
async function replies(server: TestServer, proposals: readonly (readonly [uid: string, letters: string])[], callingAeTitle = 'CT01'): Promise<string[]> {
  await using scu = await testScu(server, {
    callingAeTitle,
    contexts: proposals.map(([uid]) => [uid]),
    roles: proposals.map(([uid, letters]) => proposal(uid, letters)),
  })
  const { presentationContexts, userInformation } = scu.accept
  return proposals.map(([uid], index) => {
    const result = presentationContexts[index]?.result
    const item = userInformation.find((one) => one.type === 0x54 && 'scuRole' in one && one.sopClassUid === uid)
    if (result !== 0) return item === undefined ? (result === 1 ? 'refused' : `result ${result}`) : 'an item for a context that is refused'
    return item !== undefined && 'scuRole' in item ? lettersOf(item.scuRole, item.scpRole) : 'no item'
  })
}

// ── the table of outcomes (PS3.7 D.3.3.4) ───────────────────────────────────────────────────────────────

// Rows: what the requestor proposes (SCU, SCP); columns: what the rule allows, `none`: nobody decides. Cells:
// the item in the answer, and the roles that each side has in the end, requestor and acceptor, SCU and SCP.
const OUTCOMES = `
        TT           TF           FT           FF           none
  none  --/TF/FT     --/TF/FT     --/TF/FT     --/TF/FT     --/TF/FT
  TT    TT/TT/TT     TF/TF/FT     FT/FT/TF     refused      --/TF/FT
  TF    TF/TF/FT     TF/TF/FT     refused      refused      --/TF/FT
  FT    FT/FT/TF     refused      FT/FT/TF     refused      --/TF/FT
  FF    refused      refused      refused      refused      --/TF/FT
`
const [COLUMNS = [], ...ROWS] = OUTCOMES.trim().split('\n').map((line) => line.trim().split(/\s+/))

for (const [proposed = '', ...cells] of ROWS) {
  for (const [column, outcome] of cells.entries()) {
    const allowed = COLUMNS[column] ?? ''
    test(`proposed ${proposed}, allowed ${allowed}: ${outcome}`, async (t) => {
      const rule = { sopClasses: ['CTImageStorage'], scu: permission(allowed[0]), scp: permission(allowed[1]) }
      const established: Association[] = []
      await using server = await createTestServer({
        contexts: supporting(CT, VERIFICATION),
        plugins: allowed === 'none' ? [] : [roleSelection({ roles: [rule] })],
        handlers: { cStore: () => 0, associationEstablished: ({ association }) => established.push(association) },
      })
      await using scu = await testScu(server, { contexts: [[CT], [VERIFICATION]], roles: proposed === 'none' ? [] : [proposal(CT, proposed)] })

      const [context, verification] = scu.accept.presentationContexts
      t.is(verification?.result, 0, 'the other context is none of its business')
      const items = scu.accept.userInformation.flatMap((item) => (item.type === 0x54 && 'scuRole' in item ? [item] : []))
      const accepted = established[0]?.acceptedContexts.find(({ abstractSyntax }) => abstractSyntax === CT)
      if (outcome === 'refused') {
        t.is(context?.result, 1)
        t.deepEqual(items, [])
        t.is(accepted, undefined)
        t.like(established[0]?.rejectedContexts, [{ abstractSyntax: CT, result: 1 }])
        return
      }
      const [item = '', requestor = '', acceptor = ''] = outcome.split('/')
      t.is(context?.result, 0)
      t.is(items.map(({ sopClassUid, scuRole, scpRole }) => (sopClassUid === CT ? lettersOf(scuRole, scpRole) : sopClassUid)).join() || '--', item)
      // The requestor has the roles of the item, without one SCU (PS3.7 D.3.3.4).
      t.is(item === '--' ? 'TF' : item, requestor)
      t.is(accepted && lettersOf(accepted.asScu, accepted.asScp), acceptor)
      // And what the roles mean: as SCU it may store, otherwise it is told that it may not.
      const { status } = await scu.store({ sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, dataSet: Buffer.alloc(8) })
      t.is(status, requestor.startsWith('T') ? 0x0000 : 0x0122)
    })
  }
}

function permission(letter: string | undefined): 'allow' | 'refuse' {
  return letter === 'T' ? 'allow' : 'refuse'
}

// ── rules ───────────────────────────────────────────────────────────────────────────────────────────────

test('without options: SCP for what C-GET fetches and what is reported later, and for nothing else', async (t) => {
  await using server = await serverWith()
  const classes = [CT, HANGING_PROTOCOL, COMMITMENT, UPS_EVENT, VERIFICATION, FIND, GET]
  const ask = (letters: string): Promise<string[]> => replies(server, classes.map((uid) => [uid, letters] as const))
  t.deepEqual(await ask('TT'), ['TT', 'TT', 'TT', 'TT', 'TF', 'TF', 'TF'])
  t.deepEqual(await ask('FT'), ['FT', 'FT', 'FT', 'FT', 'refused', 'refused', 'refused'])
  t.deepEqual(await ask('TF'), ['TF', 'TF', 'TF', 'TF', 'TF', 'TF', 'TF'])
})

test('a peer that asks with C-GET gets the objects on its association', async (t) => {
  const object = { sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes: () => [Buffer.alloc(8)] }
  await using server = await serverWith({}, { handlers: { cGet: async () => ({ instances: [object], total: 1 }) as never } })
  const letters = { TT: [0x0000, 1], FT: [0x0000, 1], TF: [0xa702, 0] } as const
  for (const [role, [status, received]] of Object.entries(letters)) {
    await using scu = await testScu(server, { contexts: [[GET], [CT]], roles: [proposal(CT, role)] })
    t.is((await (await scu.get({ QueryRetrieveLevel: 'STUDY' }, GET)).final()).status, status, role)
    t.is(scu.received.length, received, role)
  }
})

test('a report of the peer needs no role, whoever is SCP', async (t) => {
  await using server = await serverWith({}, { handlers: { nEventReport: () => 0 } })
  const report = { commandField: 0x0100, affectedSopClassUid: COMMITMENT, affectedSopInstanceUid: '1.2.840.10008.1.20.1.1', eventTypeId: 1 }
  for (const roles of [[], [proposal(COMMITMENT, 'FT')]]) {
    await using scu = await testScu(server, { contexts: [[COMMITMENT]], roles })
    t.is((await scu.request(COMMITMENT, report).final()).status, 0)
  }
})

test('the first rule that fits counts, then those of the plugin', async (t) => {
  await using server = await serverWith({
    roles: [
      { sopClasses: [MR], peers: ['MODALITY9'], scu: 'refuse', scp: 'allow' },
      { sopClasses: ['storage'], peers: ['MODALITY*', 'XR'], scp: 'refuse' },
      { sopClasses: ['c-get'], peers: ['XR'], scp: 'allow' },
    ],
  })
  const both = [[CT, 'TT'], [MR, 'TT'], [GET, 'TT'], [COMMITMENT, 'TT']] as const
  t.deepEqual(await replies(server, both, 'MODALITY1'), ['TF', 'TF', 'TF', 'TT'])
  t.deepEqual(await replies(server, both, 'MODALITY9'), ['TF', 'FT', 'TF', 'TT'])
  t.deepEqual(await replies(server, both, 'XR'), ['TF', 'TF', 'TT', 'TT'])
  t.deepEqual(await replies(server, both, 'XR2'), ['TT', 'TT', 'TF', 'TT'])
})

test('a rule for * replaces what comes with the plugin', async (t) => {
  await using server = await serverWith({ roles: [{ sopClasses: ['*'], scu: 'allow', scp: 'refuse' }] })
  t.deepEqual(await replies(server, [[CT, 'TT'], [COMMITMENT, 'FT']]), ['TF', 'refused'])
})

test('roles of a supported context go before the rules of the plugin, and behind those of the site', async (t) => {
  const contexts = supporting(CT, MR).map((context) => ({ ...context, roles: { scu: true, scp: false } }))
  await using server = await serverWith({ roles: [{ sopClasses: ['MRImageStorage'], scp: 'allow' }] }, { contexts })
  t.deepEqual(await replies(server, [[CT, 'TT'], [MR, 'TT']]), ['TF', 'TT'])
})

test('with unrestrictedStorage private and unknown SOP classes are storage', async (t) => {
  const proposals = [[PRIVATE, 'FT'], ['1.2.840.10008.5.1.4.1.1.99999', 'FT'], [VERIFICATION, 'FT']] as const
  await using open = await serverWith({}, { unrestrictedStorage: true })
  t.deepEqual(await replies(open, proposals), ['FT', 'FT', 'refused'])
  await using closed = await serverWith({}, { contexts: supporting(PRIVATE) })
  t.deepEqual(await replies(closed, [[PRIVATE, 'FT']]), ['refused'])
})

test('another plugin that answers earlier wins', async (t) => {
  const other = definePlugin({
    name: 'dicomtap-plugin-other',
    apply: (api) => api.hooks.roleSelection.tap({ stage: Stage.Default }, () => [proposal(VERIFICATION, 'FT')]),
  })
  await using server = await createTestServer({ contexts: supporting(VERIFICATION), plugins: [roleSelection(), other()] })
  t.deepEqual(await replies(server, [[VERIFICATION, 'TT']]), ['FT'])
})

// ── as requestor ────────────────────────────────────────────────────────────────────────────────────────

/** The letters that each context of an association would be requested with, `--` for no item. */
async function proposedFor(server: TestServer, contexts: readonly (string | RequestedContext)[], calledAeTitle = 'PACS'): Promise<string[]> {
  const outgoing: OutgoingAssociationOptions = {
    host: 'pacs.hospital',
    port: 104,
    calledAeTitle,
    callingAeTitle: 'DICOMTAP',
    contexts: contexts.map((context) => (typeof context === 'string' ? { abstractSyntax: context } : context)),
    sopClassExtended: [],
    sopClassCommonExtended: [],
  }
  const { contexts: proposed } = await server.ae.hooks.outgoingAssociation.promise(outgoing, undefined)
  return proposed.map(({ roles }) => (roles === undefined ? '--' : lettersOf(roles.scu, roles.scp)))
}

test('SCP is proposed for the objects of a C-GET, and nothing on other associations', async (t) => {
  await using server = await serverWith()
  t.deepEqual(await proposedFor(server, [GET, CT, MR, HANGING_PROTOCOL, FIND, PRIVATE]), ['--', 'FT', 'FT', 'FT', '--', '--'])
  t.deepEqual(await proposedFor(server, [SopClass.HangingProtocolInformationModelGet, HANGING_PROTOCOL]), ['--', 'FT'])
  t.deepEqual(await proposedFor(server, [CT, MR, FIND, VERIFICATION]), ['--', '--', '--', '--'])
  await using open = await serverWith({}, { unrestrictedStorage: true })
  t.deepEqual(await proposedFor(open, [GET, PRIVATE]), ['--', 'FT'])
})

test('what the caller proposes is left alone, on every context of the SOP class', async (t) => {
  await using server = await serverWith()
  const own = { abstractSyntax: CT, roles: { scu: true, scp: true } }
  t.deepEqual(await proposedFor(server, [GET, own, { abstractSyntax: CT, transferSyntaxes: [IMPLICIT_LE] }, MR]), ['--', 'TT', '--', 'FT'])
})

test('rules for what is proposed: by peer, SOP class and company', async (t) => {
  await using server = await serverWith({
    propose: [
      { sopClasses: ['storage'], peers: ['NOROLES'], role: 'none' },
      { sopClasses: ['storage'], with: ['c-get'], peers: ['PACS*'], role: 'both' },
      { sopClasses: ['storage-commitment'], peers: ['MODALITY*'], role: 'scp' },
      { sopClasses: ['Verification'], with: ['CTImageStorage', 'storage-commitment'], role: 'scu' },
    ],
  })
  const contexts = [GET, CT, COMMITMENT, VERIFICATION]
  t.deepEqual(await proposedFor(server, contexts, 'PACS'), ['--', 'TT', '--', 'TF'])
  t.deepEqual(await proposedFor(server, contexts, 'OTHER'), ['--', 'FT', '--', 'TF'])
  t.deepEqual(await proposedFor(server, contexts, 'NOROLES'), ['--', '--', '--', 'TF'])
  t.deepEqual(await proposedFor(server, [CT, MR], 'PACS'), ['--', '--'])
  t.deepEqual(await proposedFor(server, [COMMITMENT], 'MODALITY7'), ['FT'])
  t.deepEqual(await proposedFor(server, [VERIFICATION], 'PACS'), ['--'])
})

test('the roles that two sides agree on', async (t) => {
  await using scp = await serverWith({ roles: [{ sopClasses: ['MRImageStorage'], scp: 'refuse' }] })
  await using scu = await serverWith()
  const contexts = [GET, CT, MR, VERIFICATION].map((abstractSyntax) => ({ abstractSyntax }))
  const association = await scu.ae.associate({ host: '127.0.0.1', port: scp.port, contexts })
  const rolesOf = ({ acceptedContexts }: Pick<Association, 'acceptedContexts'>): string[] =>
    acceptedContexts.map(({ abstractSyntax, asScu, asScp }) => `${abstractSyntax} ${lettersOf(asScu, asScp)}`)
  t.deepEqual(rolesOf(association), [`${GET} TF`, `${CT} FT`, `${VERIFICATION} TF`])
  t.deepEqual(association.rejectedContexts.map(({ abstractSyntax, result }) => [abstractSyntax, result]), [[MR, 1]])
  const [other] = scp.ae.activeAssociations
  t.deepEqual(other && rolesOf(other), [`${GET} FT`, `${CT} TF`, `${VERIFICATION} FT`])
  await association.release()
})

test('C-GET between two sides: the objects arrive on the association that asked for them', async (t) => {
  const object = { sopClassUid: CT, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes: () => [Buffer.alloc(8)] }
  const stored: string[] = []
  await using scp = await serverWith({}, { handlers: { cGet: () => ({ instances: Readable.from([object]), total: 1 }) } })
  await using scu = await createTestServer({
    plugins: [roleSelection()],
    handlers: {
      cStore: ({ affectedSopInstanceUid }) => {
        stored.push(affectedSopInstanceUid)
        return 0
      },
    },
  })
  const association = await scu.ae.associate({ host: '127.0.0.1', port: scp.port, contexts: [{ abstractSyntax: GET }, { abstractSyntax: CT }] })
  const statuses: number[] = []
  for await (const { status } of association.cGet({ QueryRetrieveLevel: 'STUDY' }, { model: GET })) statuses.push(status)
  t.is(statuses.at(-1), 0)
  t.deepEqual(stored, ['1.2.3'])
  await association.release()
})

// ── options ─────────────────────────────────────────────────────────────────────────────────────────────

test('the taps stand last, under the name of the plugin', async (t) => {
  await using server = await serverWith()
  const taps = listTaps(server.ae.hooks).flatMap(({ hook, taps }) => taps.map(({ plugin, stage }) => `${hook} ${plugin} ${stage}`))
  t.deepEqual(taps.filter((tap) => tap.includes('role-selection')).sort(), [
    'outgoingAssociation role-selection 1000',
    'roleSelection role-selection 1000',
  ])
})

for (const [options, complaint] of [
  [{ roles: [{ sopClasses: ['CTImageStorge'] }] }, /options\.roles\[0\]\.sopClasses\[0\]: "CTImageStorge" is no .*; did you mean CTImageStorage/],
  [{ roles: [{ sopClasses: ['*'] }, { sopClasses: ['*', 'storages'] }] }, /options\.roles\[1\]\.sopClasses\[1\]: "storages" is no .*; did you mean storage/],
  [{ propose: [{ sopClasses: ['storage'], with: ['C-GET'], role: 'scp' }] }, /options\.propose\[0\]\.with\[0\]: "C-GET" is no .*; did you mean c-get/],
  [{ roles: [{ sopClasses: ['zzzzzzzzzzzz'] }] }, /"zzzzzzzzzzzz" is no .*; service classes are .*print-management.*storage/],
  [{ roles: [{ sopClasses: ['1.2.840.'] }] }, /"1\.2\.840\."/],
  [{ roles: [{ sopClasses: [] }] }, /sopClasses/],
  [{ roles: [{ scp: 'allow' }] }, /sopClasses/],
  [{ roles: [{ sopClasses: ['*'], scp: true }] }, /options\.roles\[0\]\.scp/],
  [{ roles: [{ sopClasses: ['*'], peers: ['SEVENTEEN_LETTERS'] }] }, /options\.roles\[0\]\.peers\[0\]: must be an AE title/],
  [{ propose: [{ sopClasses: ['*'] }] }, /options\.propose\[0\]\.role/],
  [{ rules: [] }, /rules/],
] as const) {
  test(`refused: ${JSON.stringify(options)}`, async (t) => {
    const error = await t.throwsAsync(serverWith(options as unknown as RoleSelectionOptions), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
    t.regex(error.message, complaint)
    t.notRegex(error.message, /\n/, 'one line')
  })
}

test('schema.json is that of the options, and the README names every one', async (t) => {
  const schema = z.toJSONSchema(roleSelectionOptions, { io: 'input', unrepresentable: 'any' })
  const file = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(file, schema, 'run "npm run build && node scripts/write-schemas.mjs"')
  const rows = (await readFile(new URL('../README.md', import.meta.url), 'utf8')).split('\n').filter((line) => line.startsWith('| `'))
  for (const name of ['roles', 'propose', 'sopClasses', 'peers', 'scu', 'scp', 'role', 'with']) {
    t.true(JSON.stringify(schema).includes(`"${name}":{`), name)
    t.true(rows.some((row) => row.split('|')[1]?.includes(`\`${name}\``)), name)
  }
})
