import test from 'ava'
import { contextResults, negotiateContexts } from '../../dist/acse/negotiate-contexts.js'
import { negotiateRoles } from '../../dist/acse/roles.js'
import type { RoleSelection, SupportedContext } from '../../dist/acse/types.js'
import type { PresentationContextRq } from '../../dist/pdu/types.js'
import type { SopClassCommonExtended } from '../../dist/pdu/user-items/types.js'
import { createTestServer, testScu } from '../../dist/testing/index.js'
import { connected } from '../support/connections.ts'
import {
  CT_IMAGE,
  EXPLICIT_BE,
  EXPLICIT_LE,
  IMPLICIT_LE,
  JPEG_LOSSLESS,
  MR_IMAGE,
  STUDY_ROOT_FIND,
  VERIFICATION,
} from '../support/uids.ts'

const PRIVATE_CLASS = '1.3.6.1.4.1.99999.1'
// Under the root of the standard, and in no edition of PS3.6.
const UNKNOWN_PUBLIC_CLASS = '1.2.840.10008.5.1.4.1.1.99999'
const PRIVATE_SYNTAX = '1.3.6.1.4.1.99999.2'

function negotiate(
  proposals: readonly PresentationContextRq[],
  supported: readonly SupportedContext[],
  options: {
    roles?: readonly RoleSelection[]
    unrestrictedStorage?: boolean
    roleAnswers?: ReadonlyMap<string, { scu: boolean; scp: boolean }>
    commonExtended?: ReadonlyMap<string, SopClassCommonExtended>
  } = {},
): { results: string[]; roles: string[]; accepted: ReturnType<typeof negotiateContexts>['accepted'] } {
  const { accepted, rejected, roles } = negotiateContexts(proposals, options.roles ?? [], {
    supportedContexts: new Map(supported.map((context) => [context.abstractSyntax, context])),
    unrestrictedStorage: options.unrestrictedStorage ?? false,
    commonExtended: options.commonExtended ?? new Map(),
    roleAnswers: options.roleAnswers ?? new Map(),
  })
  return {
    results: contextResults(proposals, accepted, rejected).map(({ id, result, transferSyntax }) => `${id} ${result} ${transferSyntax}`),
    roles: roles.map(({ sopClassUid, scuRole, scpRole }) => `${sopClassUid} ${Number(scuRole)}${Number(scpRole)}`),
    accepted,
  }
}

function proposal(id: number, abstractSyntax: string, ...transferSyntaxes: string[]): PresentationContextRq {
  return { id, abstractSyntax, transferSyntaxes }
}

// ── presentation contexts (PS3.8 9.3.3.2, table 9-18) ───────────────────────────────────────────────────

test('the acceptor prefers: its own first transfer syntax that was proposed is taken', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [JPEG_LOSSLESS, EXPLICIT_LE, IMPLICIT_LE] }]
  t.deepEqual(negotiate([proposal(1, CT_IMAGE, IMPLICIT_LE, EXPLICIT_LE)], supported).results, [`1 0 ${EXPLICIT_LE}`])
  t.deepEqual(negotiate([proposal(1, CT_IMAGE, IMPLICIT_LE, EXPLICIT_LE, JPEG_LOSSLESS)], supported).results, [`1 0 ${JPEG_LOSSLESS}`])
  t.deepEqual(negotiate([proposal(1, CT_IMAGE, IMPLICIT_LE)], supported).results, [`1 0 ${IMPLICIT_LE}`])
})

test('where the requestor alone gets data sets, as with C-GET, it prefers; of those that this side has', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE, JPEG_LOSSLESS], roles: { scu: true, scp: true } }]
  const proposals = [proposal(1, CT_IMAGE, PRIVATE_SYNTAX, JPEG_LOSSLESS, EXPLICIT_LE)]
  const as = (scuRole: boolean, scpRole: boolean) => ({ roles: [{ sopClassUid: CT_IMAGE, scuRole, scpRole }] })
  t.deepEqual(negotiate(proposals, supported, as(false, true)).results, [`1 0 ${JPEG_LOSSLESS}`])
  t.deepEqual(negotiate(proposals, supported, as(true, true)).results, [`1 0 ${EXPLICIT_LE}`])
  t.deepEqual(negotiate(proposals, supported).results, [`1 0 ${EXPLICIT_LE}`])
  t.deepEqual(negotiate([proposal(1, CT_IMAGE, PRIVATE_SYNTAX)], supported, as(false, true)).results, [`1 4 ${PRIVATE_SYNTAX}`])
})

test('results 0, 3 and 4, one transfer syntax each, by context id whatever the order', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }]
  const { results } = negotiate(
    [
      proposal(255, CT_IMAGE, EXPLICIT_BE, EXPLICIT_LE),
      proposal(7, MR_IMAGE, EXPLICIT_LE, IMPLICIT_LE),
      proposal(1, CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE),
    ],
    supported,
  )
  t.deepEqual(results, [`1 0 ${IMPLICIT_LE}`, `7 3 ${EXPLICIT_LE}`, `255 4 ${EXPLICIT_BE}`])
})

test('several contexts for one abstract syntax are negotiated each on its own', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, JPEG_LOSSLESS, IMPLICIT_LE] }]
  const proposals = [proposal(1, CT_IMAGE, IMPLICIT_LE), proposal(3, CT_IMAGE, JPEG_LOSSLESS), proposal(5, CT_IMAGE, EXPLICIT_BE)]
  t.deepEqual(negotiate(proposals, supported).results, [`1 0 ${IMPLICIT_LE}`, `3 0 ${JPEG_LOSSLESS}`, `5 4 ${EXPLICIT_BE}`])
})

test('without supported contexts every result is 3', (t) => {
  t.deepEqual(negotiate([proposal(1, VERIFICATION, IMPLICIT_LE)], []).results, [`1 3 ${IMPLICIT_LE}`])
})

test('unrestricted storage takes the first transfer syntax proposed, for storage, private and unknown classes alone', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }]
  const proposals = [
    proposal(1, CT_IMAGE, EXPLICIT_BE, IMPLICIT_LE),
    proposal(3, MR_IMAGE, JPEG_LOSSLESS, IMPLICIT_LE),
    proposal(5, PRIVATE_CLASS, PRIVATE_SYNTAX),
    proposal(7, UNKNOWN_PUBLIC_CLASS, EXPLICIT_LE),
    proposal(9, VERIFICATION, IMPLICIT_LE),
    proposal(11, STUDY_ROOT_FIND, IMPLICIT_LE),
  ]
  t.deepEqual(negotiate(proposals, supported, { unrestrictedStorage: true }).results, [
    `1 0 ${EXPLICIT_BE}`,
    `3 0 ${JPEG_LOSSLESS}`,
    `5 0 ${PRIVATE_SYNTAX}`,
    `7 0 ${EXPLICIT_LE}`,
    `9 3 ${IMPLICIT_LE}`,
    `11 3 ${IMPLICIT_LE}`,
  ])
})

test('unrestricted storage grants any role proposed, and leaves the roles of other contexts alone', (t) => {
  const proposals = [proposal(1, MR_IMAGE, IMPLICIT_LE), proposal(3, VERIFICATION, IMPLICIT_LE)]
  const roles = [
    { sopClassUid: MR_IMAGE, scuRole: false, scpRole: true },
    { sopClassUid: VERIFICATION, scuRole: true, scpRole: true },
  ]
  const supported = [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: false } }]
  t.deepEqual(negotiate(proposals, supported, { unrestrictedStorage: true, roles }).roles, [`${MR_IMAGE} 01`, `${VERIFICATION} 10`])
})

// ── roles (PS3.7 D.3.3.4) ───────────────────────────────────────────────────────────────────────────────

// Rows: what the requestor proposes (SCU, SCP); columns: what the acceptor allows. Default: requestor SCU
// and acceptor SCP; inverted: the other way round; rejected: nobody would have a role.
const ROLE_OUTCOMES = `
             TT        TF        FT        FF        none
  none       default   default   default   default   default
  TT         both      default   inverted  rejected  default
  TF         default   default   rejected  rejected  default
  FT         inverted  rejected  inverted  rejected  default
  FF         rejected  rejected  rejected  rejected  default
`

function outcomes(): { proposed: string; allowed: string; outcome: string }[] {
  const [head = [], ...rows] = ROLE_OUTCOMES.trim().split('\n').map((line) => line.trim().split(/\s+/))
  return rows.flatMap(([proposed = '', ...cells]) =>
    cells.map((outcome, index) => ({ proposed, allowed: head[index] ?? '', outcome })),
  )
}

function rolesOf(letters: string): { scu: boolean; scp: boolean } | undefined {
  return letters === 'none' ? undefined : { scu: letters[0] === 'T', scp: letters[1] === 'T' }
}

test('every role proposal against every role that is allowed', (t) => {
  for (const { proposed, allowed, outcome } of outcomes()) {
    const proposedRoles = rolesOf(proposed)
    const selection = proposedRoles && { sopClassUid: CT_IMAGE, scuRole: proposedRoles.scu, scpRole: proposedRoles.scp }
    const negotiated = negotiateRoles(selection, rolesOf(allowed))
    const name = `${proposed} against ${allowed}`
    if (outcome === 'rejected') {
      t.is(negotiated, undefined, name)
      continue
    }
    // As the acceptor holds them: SCP by default, SCU when inverted.
    t.is(negotiated?.acceptorAsScp, outcome !== 'inverted', name)
    t.is(negotiated?.acceptorAsScu, outcome !== 'default', name)
    if (proposed === 'none' || allowed === 'none') {
      t.is(negotiated?.reply, undefined, `${name}: no item`)
    } else {
      // The reply never grants what was not proposed, nor what is not allowed.
      const expected = [proposed, allowed].reduce((left, right) => (left[0] === 'T' ? right[0]! : 'F') + (left[1] === 'T' ? right[1]! : 'F'))
      t.is(`${negotiated?.reply?.scuRole === true ? 'T' : 'F'}${negotiated?.reply?.scpRole === true ? 'T' : 'F'}`, expected, name)
    }
  }
})

test('a context that nobody would have a role on gets result 1, and no role item', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: false } }]
  const roles = [{ sopClassUid: CT_IMAGE, scuRole: false, scpRole: true }]
  const { results, roles: replies } = negotiate([proposal(1, CT_IMAGE, IMPLICIT_LE), proposal(3, CT_IMAGE, EXPLICIT_LE)], supported, { roles })
  t.deepEqual(results, [`1 1 ${IMPLICIT_LE}`, `3 4 ${EXPLICIT_LE}`])
  t.deepEqual(replies, [])
})

test('a role answer of a handler goes before the roles of the supported context', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: true } }]
  const roles = [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }]
  const roleAnswers = new Map([[CT_IMAGE, { scu: false, scp: true }]])
  t.deepEqual(negotiate([proposal(1, CT_IMAGE, IMPLICIT_LE)], supported, { roles, roleAnswers }).roles, [`${CT_IMAGE} 01`])
})

test('one role item per SOP class, however many contexts it has', (t) => {
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE], roles: { scu: true, scp: true } }]
  const roles = [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }]
  const { roles: replies, accepted } = negotiate([proposal(1, CT_IMAGE, IMPLICIT_LE), proposal(3, CT_IMAGE, EXPLICIT_LE)], supported, { roles })
  t.deepEqual(replies, [`${CT_IMAGE} 11`])
  t.deepEqual(
    accepted.map(({ asScu, asScp }) => [asScu, asScp]),
    [
      [true, true],
      [true, true],
    ],
  )
})

// ── on the wire ─────────────────────────────────────────────────────────────────────────────────────────

const CT_WITH_ROLES = { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: true } }

test('the accept lists every context with its result, and role items for accepted classes alone', async (t) => {
  await using server = await createTestServer({ contexts: [CT_WITH_ROLES, { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }] })
  using peer = connected(server)
  const accept = await peer.associate({
    contexts: [
      [CT_IMAGE, IMPLICIT_LE],
      [MR_IMAGE, EXPLICIT_LE, IMPLICIT_LE],
      [VERIFICATION, EXPLICIT_LE],
    ],
    roles: [
      { sopClassUid: CT_IMAGE, scuRole: true, scpRole: true },
      { sopClassUid: MR_IMAGE, scuRole: true, scpRole: true },
      { sopClassUid: VERIFICATION, scuRole: true, scpRole: true },
    ],
  })
  t.deepEqual(accept.presentationContexts, [
    { id: 1, result: 0, transferSyntax: IMPLICIT_LE },
    { id: 3, result: 3, transferSyntax: EXPLICIT_LE },
    { id: 5, result: 4, transferSyntax: EXPLICIT_LE },
  ])
  t.deepEqual(
    accept.userInformation.filter(({ type }) => type === 0x54),
    [{ type: 0x54, sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }],
  )
  const [association] = server.ae.activeAssociations
  t.deepEqual(association?.acceptedContexts, [
    { id: 1, abstractSyntax: CT_IMAGE, transferSyntax: IMPLICIT_LE, asScu: true, asScp: true },
  ])
  t.deepEqual(association?.rejectedContexts, [
    { id: 3, abstractSyntax: MR_IMAGE, result: 3 },
    { id: 5, abstractSyntax: VERIFICATION, result: 4 },
  ])
})

test('128 contexts are answered one for one', async (t) => {
  await using server = await createTestServer({ unrestrictedStorage: true })
  using peer = connected(server)
  const contexts = Array.from({ length: 128 }, (_, index) => [`${PRIVATE_CLASS}.${index}`, PRIVATE_SYNTAX] as const)
  const accept = await peer.associate({ contexts })
  t.deepEqual(
    accept.presentationContexts.map(({ id, result }) => `${id} ${result}`),
    contexts.map((_, index) => `${2 * index + 1} 0`),
  )
})

test('an association is accepted with no context accepted, or rejected 1,1,1 when so configured', async (t) => {
  await using accepting = await createTestServer()
  using first = connected(accepting)
  t.deepEqual((await first.associate()).presentationContexts, [{ id: 1, result: 3, transferSyntax: IMPLICIT_LE }])
  await using rejecting = await createTestServer({ rejectWhenNoContext: true })
  using second = connected(rejecting)
  t.deepEqual(await second.requestAssociation(), { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 })
  using third = connected(rejecting)
  t.deepEqual(await third.requestAssociation({ contexts: [] }), { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 })
})

test('the roleSelection hook decides per SOP class; without its answer the supported roles hold', async (t) => {
  const asked: unknown[] = []
  await using server = await createTestServer({
    contexts: [CT_WITH_ROLES, { ...CT_WITH_ROLES, abstractSyntax: MR_IMAGE }],
    handlers: {
      roleSelection: (proposed, { association }) => {
        asked.push(proposed, association.callingAeTitle)
        return association.callingAeTitle === 'FRIEND' ? [{ sopClassUid: CT_IMAGE, scuRole: false, scpRole: true }] : undefined
      },
    },
  })
  const roles = [
    { sopClassUid: CT_IMAGE, scuRole: true, scpRole: true },
    { sopClassUid: MR_IMAGE, scuRole: true, scpRole: false },
  ]
  const contexts = [[CT_IMAGE], [MR_IMAGE]] as const
  using friend = connected(server)
  const answered = await friend.associate({ callingAeTitle: 'FRIEND', contexts, roles })
  // Once more about what is left, so that another plugin may answer for it.
  t.deepEqual(asked, [roles, 'FRIEND', [roles[1]], 'FRIEND'])
  const replies = (accept: typeof answered): unknown[] => accept.userInformation.filter(({ type }) => type === 0x54)
  t.deepEqual(replies(answered), [
    { type: 0x54, sopClassUid: CT_IMAGE, scuRole: false, scpRole: true },
    { type: 0x54, sopClassUid: MR_IMAGE, scuRole: true, scpRole: false },
  ])
  using stranger = connected(server)
  t.deepEqual(replies(await stranger.associate({ contexts, roles })), [
    { type: 0x54, sopClassUid: CT_IMAGE, scuRole: true, scpRole: true },
    { type: 0x54, sopClassUid: MR_IMAGE, scuRole: true, scpRole: false },
  ])
})

test('roleSelection is not asked when no role was proposed', async (t) => {
  await using server = await createTestServer({ contexts: [CT_WITH_ROLES], handlers: { roleSelection: () => t.fail() } })
  using peer = connected(server)
  t.deepEqual((await peer.associate({ contexts: [[CT_IMAGE]] })).userInformation.filter(({ type }) => type === 0x54), [])
})

test('acceptedContexts takes contexts away (result 1) and changes roles, and can add nothing', async (t) => {
  await using server = await createTestServer({
    contexts: [CT_WITH_ROLES, { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }],
    handlers: {
      acceptedContexts: async (contexts) => [
        ...contexts
          .filter(({ abstractSyntax }) => abstractSyntax === CT_IMAGE)
          .flatMap((context) => [
            { ...context, asScu: true, transferSyntax: EXPLICIT_BE, abstractSyntax: MR_IMAGE },
            { ...context, id: 9 },
            { ...context, id: 77 },
          ]),
      ],
    },
  })
  using peer = connected(server)
  const accept = await peer.associate({ contexts: [[CT_IMAGE], [VERIFICATION]] })
  t.deepEqual(accept.presentationContexts, [
    { id: 1, result: 0, transferSyntax: IMPLICIT_LE },
    { id: 3, result: 1, transferSyntax: IMPLICIT_LE },
  ])
  const [association] = server.ae.activeAssociations
  t.deepEqual(association?.acceptedContexts, [
    { id: 1, abstractSyntax: CT_IMAGE, transferSyntax: IMPLICIT_LE, asScu: true, asScp: true },
  ])
  t.deepEqual(association?.rejectedContexts, [{ id: 3, abstractSyntax: VERIFICATION, result: 1 }])
})

test('a context accepted by the peer of a test is what was agreed', async (t) => {
  await using server = await createTestServer({ contexts: [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE] }] })
  await using scu = await testScu(server, { contexts: [[CT_IMAGE, IMPLICIT_LE, EXPLICIT_LE]] })
  t.like(scu.contextFor(CT_IMAGE), { id: 1, transferSyntax: EXPLICIT_LE })
})

test('a specialized class whose general one is supported is served as that one, where common extended negotiation was accepted', (t) => {
  const special = '1.3.6.1.4.1.99999.7'
  const item = { type: 0x57 as const, subItemVersion: 0, sopClassUid: special, serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: ['1.2.3', CT_IMAGE] }
  const proposal = [{ id: 1, abstractSyntax: special, transferSyntaxes: [IMPLICIT_LE] }]
  const supported = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE] }]
  t.deepEqual(negotiate(proposal, supported).results, [`1 3 ${IMPLICIT_LE}`])
  t.deepEqual(negotiate(proposal, supported, { commonExtended: new Map([[special, item]]) }).results, [`1 0 ${IMPLICIT_LE}`])
  t.deepEqual(negotiate(proposal, [], { commonExtended: new Map([[special, item]]) }).results, [`1 3 ${IMPLICIT_LE}`])
})
