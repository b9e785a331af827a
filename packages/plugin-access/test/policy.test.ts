import { readFile } from 'node:fs/promises'
import test from 'ava'
import { z } from 'zod'
import { SopClass } from '@dicomtap/framework'
import { access, fileSchemas } from '@dicomtap/plugin-access'
import { RefusalLog } from '../dist/admission/refusal-log.js'
import type { RefusalLine } from '../dist/admission/refusal-log.js'
import { SharedSlots } from '../dist/admission/shared-slots.js'
import { AssociationSlots } from '../dist/admission/slots.js'
import type { Slot } from '../dist/admission/slots.js'
import { AddressSet, parseHost, plainAddress } from '../dist/addresses.js'
import { HostNames } from '../dist/host-names.js'
import { comparableTitle, matchesPattern, titleMatcher } from '../dist/patterns.js'
import { parsePeersFile } from '../dist/peers-file/parse.js'
import { compilePolicy } from '../dist/policy/compile.js'
import type { Policy, PolicySettings } from '../dist/policy/compile.js'
import { decide, isContextGranted, isRequestGranted } from '../dist/policy/decide.js'
import type { Verdict } from '../dist/policy/decide.js'
import { certificateFacts, namesOf } from '../dist/policy/facts.js'
import type { Facts } from '../dist/policy/facts.js'
import { DEFAULT_REJECTIONS } from '../dist/rejections.js'
import { Rights, rightsFor } from '../dist/rights.js'
import { UnknownPeers } from '../dist/unknown-peers/list.js'
import type { Knock } from '../dist/unknown-peers/list.js'

const SETTINGS: PolicySettings = { default: 'deny', comparison: 'exact', calledAeTitles: undefined, rejections: DEFAULT_REJECTIONS }
const NO_NAMES = (): undefined => undefined

function policyOf(yaml: string, settings: Partial<PolicySettings> = {}): Policy {
  return compilePolicy(parsePeersFile(yaml, 'peers.yaml').file, { ...SETTINGS, ...settings })
}

function facts(callingAeTitle: string, address: string, more: Partial<Facts> = {}): Facts {
  return { callingAeTitle, address, calledAeTitle: 'ARCHIVE', port: 11112, isSecured: false, certificate: undefined, user: undefined, ...more }
}

function verdict(policy: Policy, of: Facts): Verdict {
  return decide(policy, of, NO_NAMES)
}

/** `allow by`, or `cause by`. */
function told(policy: Policy, of: Facts): string {
  const decided = verdict(policy, of)
  return decided.outcome === 'deny' ? `${decided.cause} ${decided.rejection.join(',')}` : `${decided.outcome}: ${decided.by}`
}

test('hosts: addresses, networks and names, and what is none of them', (t) => {
  t.deepEqual(parseHost('10.0.0.1'), { kind: 'address', address: '10.0.0.1', prefix: undefined })
  t.deepEqual(parseHost('10.0.0.0/8'), { kind: 'address', address: '10.0.0.0', prefix: 8 })
  t.deepEqual(parseHost('2001:db8::/32'), { kind: 'address', address: '2001:db8::', prefix: 32 })
  t.deepEqual(parseHost('::ffff:10.0.0.1'), { kind: 'address', address: '10.0.0.1', prefix: undefined })
  t.deepEqual(parseHost('CT1.Hospital.example.'), { kind: 'name', name: 'ct1.hospital.example' })
  for (const wrong of ['10.0.0.300', '10.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '::/129', 'name/8', '', 'a b', '-a', 'a..b', '*.example']) {
    t.is(parseHost(wrong), undefined, wrong)
  }
})

test('address sets: IPv4, IPv6, IPv4 seen as IPv6, zones', (t) => {
  const set = AddressSet.of(['10.1.0.0/16', '192.168.0.7', '2001:db8::/32', 'fe80::1'].map((text) => parseHost(text)!))
  for (const inside of ['10.1.255.255', '192.168.0.7', '2001:db8:1::9', plainAddress('fe80::1%eth0'), plainAddress('::ffff:10.1.2.3')]) t.true(set.has(inside), inside)
  for (const outside of ['10.2.0.0', '192.168.0.8', '2001:db9::', '::1', '', 'CT1', '10.1']) t.false(set.has(outside), outside)
})

test('wildcards; a pattern cannot be made slow', (t) => {
  t.true(matchesPattern('CT*', 'CT12'))
  t.true(matchesPattern('*', ''))
  t.true(matchesPattern('C?1*9', 'CT1 89'))
  t.false(matchesPattern('CT?', 'CT'))
  t.false(matchesPattern('CT', 'CT1'))
  t.false(matchesPattern(`${'*a'.repeat(500)}b`, 'a'.repeat(10_000)))
  // As long as a command set may be, and longer.
  const long = `A${' '.repeat(2_000_000)}A`
  t.is(comparableTitle(`  ${long} \0 `, 'exact'), long)
})

test('AE titles: exact but for spaces around them; lenient without case, spaces and trailing NULs', (t) => {
  const exact = titleMatcher(['CT1'], 'exact')
  t.true(exact(' CT1  '))
  t.true(exact('CT1\0\0'))
  t.false(exact('ct1'))
  t.false(exact('C T1'))
  const lenient = titleMatcher(['CT1'], 'lenient')
  for (const title of ['ct1', 'C T 1', ' Ct1 ', 'CT1\0 ']) t.true(lenient(title), title)
  t.false(lenient('CT\x001'))
  t.false(lenient('CT2'))
})

test('rights: named ones and SOP classes', (t) => {
  const rights = new Rights(['echo', 'store', 'find', 'ModalityPerformedProcedureStep', '1.2.3.4'])
  t.true(rights.covers('C-ECHO', SopClass.Verification))
  t.true(rights.covers('C-STORE', SopClass.CTImageStorage))
  t.true(rights.covers('C-STORE', '1.2.826.0.1.3680043.9.1'), 'private classes are stored')
  t.false(rights.covers('C-FIND', '1.2.826.0.1.3680043.9.1'))
  t.true(rights.covers('C-FIND', SopClass.StudyRootQueryRetrieveInformationModelFind))
  t.false(rights.covers('C-FIND', SopClass.ModalityWorklistInformationModelFind), 'a worklist is a right of its own')
  t.false(rights.covers('C-MOVE', SopClass.StudyRootQueryRetrieveInformationModelMove))
  t.true(rights.covers('N-CREATE', SopClass.ModalityPerformedProcedureStep))
  t.true(rights.covers('N-GET', '1.2.3.4'))
  t.false(rights.covers('C-STORE', SopClass.Verification), 'no storing on the context of verification')
  t.false(rights.coversContext(SopClass.StudyRootQueryRetrieveInformationModelMove))
  t.true(rights.coversContext(SopClass.StudyRootQueryRetrieveInformationModelFind))
  t.true(new Rights(['all']).covers('N-DELETE', '1.2.3'))
  t.false(Rights.NONE.coversContext(SopClass.Verification))
  t.deepEqual(rightsFor([SopClass.Verification, SopClass.CTImageStorage, SopClass.MRImageStorage, SopClass.DisplaySystem]), ['echo', 'store', 'DisplaySystem'])
})

test('mistakes in a peers file: line, column, where and what', (t) => {
  const messageOf = (yaml: string): string => t.throws(() => parsePeersFile(yaml, 'peers.yaml'), { name: 'PeersFileError' }).message
  t.is(messageOf('peers:\n  - host: 10.0.0.1\n'), 'peers.yaml:2:5: peers[0].aeTitle: is missing')
  t.is(messageOf('peers:\n  - aeTitle: 007\n'), 'peers.yaml:2:14: peers[0].aeTitle: must be text: put it in quotes')
  t.is(messageOf('peers:\n  - aeTitle: CT1\n    allow: [echo, stroe]\n'), "peers.yaml:3:19: peers[0].allow[1]: 'stroe' is no right; did you mean store?")
  t.is(messageOf('peers:\n  - aeTitle: CT1\n    hots: 10.0.0.1\n'), 'peers.yaml:3:11: peers[0].hots: is not known here')
  t.is(messageOf('peers:\n  - aeTitle: CT1\n    group: ct\n'), "peers.yaml:3:12: peers[0].group: there is no group 'ct'")
  t.is(messageOf('peers:\n  - aeTitle: A\\B\n'), 'peers.yaml:2:14: peers[0].aeTitle: is no AE title: 1 to 16 characters, no backslash')
  t.is(messageOf('peers:\n  - aeTitle: CT1\n    host: [10.0.0.1, 10.0.0.300]\n'), "peers.yaml:3:22: peers[0].host[1]: '10.0.0.300' is no IP address, network (10.0.0.0/8) or host name")
  t.regex(messageOf('peers:\n  - aeTitle: CT1\n aeTitle: x\n'), /^peers\.yaml:3:\d+: /)
  t.regex(messageOf('rules:\n  - action: deny\n    rejection: [1, 1, 5]\n'), /^peers\.yaml:3:16: rules\[0\]\.rejection: is no result, source and reason/)
  t.regex(messageOf('rules:\n  - action: deny\n    address: pacs.example\n'), /rules\[0\]\.address: must be an IP address or a network/)
  t.regex(messageOf('rules:\n  - action: allow\n    rejection: [1, 1, 1]\n'), /rejection: is for rules that deny/)
  t.regex(messageOf('peers:\n  - aeTitle: CT1\n    limits: { maximumSentPduBytes: 12 }\n'), /^peers\.yaml:3:36: peers\[0\]\.limits\.maximumSentPduBytes: Too small/)
  t.regex(messageOf('defaults: { limits: { maximumAssociations: 1 } }\n'), /defaults\.limits\.maximumAssociations: is not known here/)
  t.is(messageOf('peers:\n  - aeTitle: CT1\n    host: a b\n  - aeTitle: CT2\n    port: 0\n').split('\n').length, 2, 'a line for each mistake')
  t.regex(messageOf(`a: &a [x]\n${Array.from({ length: 12 }, (_, n) => `b${n}: &b${n} [*${n === 0 ? 'a' : `b${n - 1}`}, *${n === 0 ? 'a' : `b${n - 1}`}]`).join('\n')}\n`), /^peers\.yaml: /, 'aliases do not explode')
  t.deepEqual(parsePeersFile('', 'peers.yaml').file, { peers: [], rules: [] })
  t.deepEqual(parsePeersFile('# only words\npeers:\n', 'peers.yaml').file.peers, [])
})

test('schemas are those of the sources', async (t) => {
  const options = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(options, JSON.parse(JSON.stringify(z.toJSONSchema(access.plugin.options as z.ZodType, { io: 'input', unrepresentable: 'any' }))))
  const peers = JSON.parse(await readFile(new URL('../peers.schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(peers, JSON.parse(JSON.stringify(z.toJSONSchema(fileSchemas['peers.schema.json']!, { io: 'input', unrepresentable: 'any', reused: 'ref' }))))
})

test('the README names every option and key', async (t) => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const schema = JSON.parse(await readFile(new URL('../peers.schema.json', import.meta.url), 'utf8')) as { properties: Record<string, { items?: { properties: object } }> }
  const options = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as { properties: object }
  const keys = [...Object.keys(options.properties), ...Object.keys(schema.properties), ...['peers', 'rules'].flatMap((list) => Object.keys(schema.properties[list]?.items?.properties ?? {}))]
  t.deepEqual(keys.filter((key) => !readme.includes(`\`${key}\``) && key !== '$schema'), [])
})

test('peers: by title and address; of several the first that is there; titles before wildcards', (t) => {
  const policy = policyOf(`
peers:
  - { aeTitle: "CT*", host: 10.9.0.0/16, name: any CT }
  - { aeTitle: CT1, host: 10.0.0.1, name: first }
  - { aeTitle: CT1, host: 10.0.0.2, name: second }
  - { aeTitle: [WS1, WS2] }
`)
  t.is(told(policy, facts('CT1', '10.0.0.1')), 'allow: peer first')
  t.is(told(policy, facts('CT1', '10.0.0.2')), 'allow: peer second')
  t.is(told(policy, facts('CT1', '10.9.0.1')), 'allow: peer any CT')
  t.is(told(policy, facts('CT1', '10.8.0.1')), 'address 1,1,1')
  t.is(told(policy, facts('WS2', '1.2.3.4')), 'allow: peer WS1')
  t.is(told(policy, facts('XX', '10.0.0.1')), 'unknown 1,1,3')
  t.is(told(policy, facts('', '10.0.0.1')), 'unknown 1,1,3')
})

test('default allow lets unknown ones in, but nobody under a title that belongs to another', (t) => {
  const policy = policyOf('peers: [{ aeTitle: CT1, host: 10.0.0.1 }]\nunknown: { allow: [echo] }\n', { default: 'allow' })
  const unknown = verdict(policy, facts('XX', '10.0.0.9'))
  t.is(unknown.outcome, 'allow')
  t.true(unknown.outcome === 'allow' && unknown.grant.rights.names.join() === 'echo')
  t.is(told(policy, facts('CT1', '10.0.0.9')), 'address 1,1,1')
  t.is(told(policyOf('unknown: { requireTls: true }', { default: 'allow' }), facts('XX', '1.1.1.1')), 'tls 1,1,1')
})

test('rules: in order, the first that fits decides, with its own rejection', (t) => {
  const policy = policyOf(`
peers: [{ aeTitle: CT1, host: 10.0.0.1, group: ct }]
groups: { ct: { allow: [echo] } }
rules:
  - { action: deny, calling: "TEST*", rejection: [2, 3, 1] }
  - { action: allow, address: 10.5.0.0/16, called: TEACHING }
  - { action: deny, address: 10.5.0.0/16, description: lab }
  - { action: deny, port: 104 }
  - { action: deny, group: ct, called: PRIVATE, rejection: [1, 1, 7] }
  - { action: allow, secured: true }
unknown: { allow: [store] }
`)
  t.is(told(policy, facts('TEST7', '10.0.0.1')), 'rule 2,3,1')
  t.is(told(policy, facts('XX', '10.5.0.1', { calledAeTitle: 'TEACHING' })), 'allow: rule 2 (allow)')
  t.is(told(policy, facts('XX', '10.5.0.1')), 'rule 1,1,1')
  t.is(told(policy, facts('CT1', '10.0.0.1', { port: 104 })), 'rule 1,1,1')
  t.is(told(policy, facts('CT1', '10.0.0.1', { calledAeTitle: 'PRIVATE' })), 'rule 1,1,7')
  t.is(told(policy, facts('CT1', '10.0.0.1')), 'allow: peer CT1')
  t.is(told(policy, facts('CT1', '10.0.0.2', { isSecured: true })), 'allow: rule 6 (allow)', 'a rule goes before the peers')
  t.is(told(policy, facts('XX', '10.7.0.1')), 'unknown 1,1,3')
})

test('whoever is let in without being known may echo and store, unless the file says otherwise', (t) => {
  const rights = (yaml: string, settings: Partial<PolicySettings> = {}): readonly string[] | undefined => {
    const decided = verdict(policyOf(yaml, settings), facts('XX', '10.5.0.1'))
    return decided.outcome === 'deny' ? undefined : decided.grant.rights.names
  }
  const rule = 'rules: [{ action: allow, address: 10.5.0.0/16 }]\n'
  t.deepEqual(rights(rule), ['echo', 'store'])
  t.deepEqual(rights('', { default: 'allow' }), ['echo', 'store'])
  t.deepEqual(rights(`${rule}unknown: { allow: all }`), ['all'])
})

test('no rule lifts that a peer must come over TLS, or with its certificate', (t) => {
  const fingerprint = 'ab'.repeat(32)
  const certificate = { fingerprint, subject: '', commonName: undefined, names: [], aeTitles: [], isAuthorized: true }
  const secured = { isSecured: true }
  const peers = `
peers:
  - { aeTitle: CT1, requireTls: true }
  - { aeTitle: CT2, host: 10.0.0.2, certificate: { fingerprint: ${fingerprint} } }
  - { aeTitle: CT3, host: 10.0.0.3, requireTls: true }
  - { aeTitle: CT4, host: 10.0.0.4, certificate: { fingerprint: ${fingerprint} } }
  - { aeTitle: CT4, host: 10.0.0.5 }
`
  for (const rule of ['{ action: allow }', '{ action: allow, services: [echo] }', '{ action: allow, user: { name: alice } }']) {
    const policy = policyOf(`${peers}rules: [${rule}]`)
    const of = (title: string, address: string, more: Partial<Facts> = {}): string => told(policy, facts(title, address, { user: { type: 2, user: 'alice', roles: [] }, ...more }))
    t.is(of('CT1', '10.0.0.1'), 'tls 1,1,1', rule)
    t.is(of('CT1', '10.0.0.1', { user: 'pending' }), 'tls 1,1,1', 'before a password is looked at')
    t.regex(of('CT1', '10.0.0.1', secured), /^allow: /, rule)
    t.is(of('CT2', '10.0.0.2', secured), 'certificate 1,1,1', rule)
    t.is(of('CT2', '10.9.9.9', secured), 'certificate 1,1,1', 'nor from elsewhere')
    t.is(of('CT2', '10.9.9.9', { user: 'pending' }), 'certificate 1,1,1', rule)
    t.regex(of('CT2', '10.0.0.2', { ...secured, certificate }), /^allow: /, rule)
    t.regex(of('CT2', '10.9.9.9', { ...secured, certificate }), /^allow: rule 1/, 'the address is what a rule may lift')
    t.is(of('CT3', '10.9.9.9'), 'tls 1,1,1', rule)
    t.regex(of('CT3', '10.9.9.9', secured), /^allow: rule 1/, rule)
    t.is(of('CT4', '10.0.0.4'), 'certificate 1,1,1', 'at its own address')
    t.regex(of('CT4', '10.9.9.9'), /^allow: rule 1/, 'a peer of that title needs none')
    t.regex(of('XX', '10.9.9.9'), /^allow: rule 1/, rule)
    t.is(told(policyOf(`unknown: { requireTls: true }\nrules: [${rule}]`), facts('XX', '1.1.1.1', { user: { type: 2, user: 'alice', roles: [] } })), 'tls 1,1,1', rule)
  }
  const denying = policyOf(`${peers}rules: [{ action: deny, calling: CT1, rejection: [2, 3, 1] }]`)
  t.is(told(denying, facts('CT1', '10.0.0.1')), 'rule 2,3,1', 'a rule that denies says how')
})

test('rules on services decide on those, and let in for those alone', (t) => {
  const policy = policyOf(`
peers: [{ aeTitle: CT1, allow: [echo, store] }]
rules:
  - { action: deny, calling: CT1, services: [CTImageStorage] }
  - { action: allow, address: 10.0.0.0/8, services: [echo] }
`)
  const ct = verdict(policy, facts('CT1', '1.1.1.1'))
  const stranger = verdict(policy, facts('XX', '10.0.0.1'))
  if (ct.outcome === 'deny' || stranger.outcome === 'deny') return t.fail()
  t.false(isRequestGranted(ct.grant, 'C-STORE', SopClass.CTImageStorage, SopClass.CTImageStorage))
  t.false(isContextGranted(ct.grant, SopClass.CTImageStorage, false))
  t.true(isRequestGranted(ct.grant, 'C-STORE', SopClass.MRImageStorage, SopClass.MRImageStorage))
  t.false(isRequestGranted(ct.grant, 'C-STORE', SopClass.MRImageStorage, SopClass.CTImageStorage), 'nor on the context of another class')
  t.true(isContextGranted(stranger.grant, SopClass.Verification, false))
  t.false(isContextGranted(stranger.grant, SopClass.MRImageStorage, false))
  t.is(told(policy, facts('XX', '11.0.0.1')), 'unknown 1,1,3')
})

test('contexts of C-GET: storage for who may get, on which this side sends', (t) => {
  const getter = verdict(policyOf('peers: [{ aeTitle: WS1, allow: [get] }]'), facts('WS1', '1.1.1.1'))
  if (getter.outcome === 'deny') return t.fail()
  t.true(isContextGranted(getter.grant, SopClass.CTImageStorage, true))
  t.false(isContextGranted(getter.grant, SopClass.CTImageStorage, false))
  t.false(isRequestGranted(getter.grant, 'C-STORE', SopClass.CTImageStorage, SopClass.CTImageStorage), 'the peer may not send on them')
})

test('rules on users wait for the user, and no rule behind them is taken first', (t) => {
  const policy = policyOf(`
rules:
  - { action: deny, user: { name: mallory } }
  - { action: allow, user: { role: "radiology*", claims: { site: north } } }
  - { action: allow, user: { name: bob, unproven: true } }
  - { action: deny, address: 0.0.0.0/0 }
`)
  const user = (name: string, roles: readonly string[] = [], type = 2): Partial<Facts> => ({ user: { type, user: name, roles, claims: { site: 'north' } } })
  t.is(told(policy, facts('XX', '1.1.1.1', { user: 'pending' })), 'pending: rules on users, which are decided when the user is known')
  t.is(told(policy, facts('XX', '1.1.1.1', user('mallory', ['radiology']))), 'rule 1,1,1')
  t.is(told(policy, facts('XX', '1.1.1.1', user('alice', ['radiology-1']))), 'allow: rule 2 (allow)')
  t.is(told(policy, facts('XX', '1.1.1.1', user('alice', ['radiology'], 1))), 'rule 1,1,1', 'a bare username proves nothing')
  t.is(told(policy, facts('XX', '1.1.1.1', user('bob', [], 1))), 'allow: rule 3 (allow)')
  t.is(told(policy, facts('XX', '1.1.1.1')), 'rule 1,1,1')
  t.is(told(policyOf('rules: [{ action: allow, user: { name: alice } }]'), facts('XX', '1.1.1.1', user('eve'))), 'user 1,1,1')
})

test('certificates: names count when verified, fingerprints in any case', (t) => {
  const fingerprint = 'ab'.repeat(32)
  const certificate = { fingerprint, subject: 'C=DE, CN=CT1', commonName: 'CT1', names: ['ct1.example', '10.0.0.1'], aeTitles: ['CT1'], isAuthorized: true }
  const of = (yaml: string): Policy => policyOf(`peers: [{ aeTitle: CT1, certificate: ${yaml} }]`)
  const fits = (yaml: string, given: object = certificate): string => told(of(yaml), facts('CT1', '1.1.1.1', { isSecured: true, certificate: given as typeof certificate }))
  for (const yaml of [`{ fingerprint: "${'AB:'.repeat(31)}AB" }`, '{ commonName: CT? }', '{ subject: "*CN=CT1" }', '{ san: "*.EXAMPLE" }', '{ aeTitle: true }']) {
    t.is(fits(yaml), 'allow: peer CT1', yaml)
    t.is(fits(yaml, { ...certificate, isAuthorized: false }), yaml.includes('fingerprint') ? 'allow: peer CT1' : 'certificate 1,1,1', yaml)
  }
  t.is(fits('{ commonName: CT2 }'), 'certificate 1,1,1')
  t.is(fits('{ aeTitle: true }', { ...certificate, aeTitles: ['CT2'] }), 'certificate 1,1,1')
  t.is(told(of('{ commonName: CT1 }'), facts('CT1', '1.1.1.1')), 'certificate 1,1,1')
  t.deepEqual(namesOf('DNS:a.example, DNS:"b, DNS:evil", IP Address:10.0.0.1, URI:urn:x'), ['a.example', 'b, DNS:evil', '10.0.0.1', 'urn:x'])
  // Kinds that do not count, with one that would in their quotes.
  t.deepEqual(namesOf(String.raw`DirName:"CN=x\\, DNS:evil.example", othername:"XmppAddr:a, email:evil@b", DNS:a.example`), ['a.example'])
})

test('of a certificate a hundred names of each kind count; of one that was not verified none is read', (t) => {
  let told = 0
  const given = (count: number, kind: string): string[] => Array.from({ length: count }, (_, index) => `${kind}:ct${index}.example`)
  const names = namesOf([...given(101, 'DNS'), ...given(3, 'email'), ...given(100, 'URI')].join(', '), () => (told += 1))
  t.is(names.length, 203)
  t.false(names.includes('ct100.example'), 'what comes after them is as if it were not there')
  t.is(told, 1)
  t.is(namesOf(given(100, 'DNS').join(', '), () => (told += 1)).length, 100)
  t.is(told, 1)
  const peerCertificate = { fingerprint256: 'AB', subject: 'CN=CT1', subjectAltName: 'DNS:ct1.example' }
  const read = (isAuthorized: boolean): readonly string[] | undefined => certificateFacts({ isAuthorized, peerCertificate } as never, [])?.names
  t.deepEqual(read(true), ['ct1.example'])
  t.deepEqual(read(false), [])
})

test('called AE titles: of the options, of a peer, and a peer that may call whatever it likes', (t) => {
  const yaml = 'peers:\n  - { aeTitle: CT1 }\n  - { aeTitle: CT2, quirks: { anyCalledAeTitle: true } }\n  - { aeTitle: CT3, calledAeTitles: TEACH }\n'
  const policy = policyOf(yaml, { calledAeTitles: ['ARCHIVE', 'TEACH'] })
  t.is(told(policy, facts('CT1', '1.1.1.1')), 'allow: peer CT1')
  t.is(told(policy, facts('CT1', '1.1.1.1', { calledAeTitle: 'ANY-SCP' })), 'calledAeTitle 1,1,7')
  t.is(told(policy, facts('CT2', '1.1.1.1', { calledAeTitle: 'ANY-SCP' })), 'allow: peer CT2')
  t.is(told(policy, facts('CT3', '1.1.1.1')), 'calledAeTitle 1,1,7')
  t.is(told(policy, facts('CT3', '1.1.1.1', { calledAeTitle: 'TEACH' })), 'allow: peer CT3')
})

test('groups and defaults: what is nearer holds; limits, time-outs and quirks key by key', (t) => {
  const [peer] = policyOf(`
defaults: { allow: [echo], maximumAssociations: 5, limits: { maximumPduBytes: 16384, maximumSentPduBytes: 8192 } }
groups: { ct: { allow: [echo, store], limits: { maximumPduBytes: 32768 } } }
peers: [{ aeTitle: CT1, group: ct, maximumAssociations: 2 }]
`).peers
  t.deepEqual(peer?.rights.names, ['echo', 'store'])
  t.is(peer?.profile.maximumAssociations, 2)
  t.deepEqual(peer?.profile.limits, { maximumPduBytes: 32768, maximumSentPduBytes: 8192 })
  t.deepEqual(policyOf('peers: [{ aeTitle: CT1 }]').peers[0]?.rights.names, ['echo', 'store'], 'of whom nothing is said may echo and store')
})

test('places: so many at once, and so many a minute with a bucket that fills again', (t) => {
  let nowMs = 0
  const slots = new AssociationSlots(() => nowMs)
  const limits = { maximumAssociations: 2, associationsPerMinute: undefined, burst: undefined }
  const first = slots.take('CT1', limits) as Slot
  t.is(typeof slots.take('CT1', limits), 'object')
  t.is(slots.take('CT1', limits), 'limit')
  t.is(typeof slots.take('CT2', limits), 'object', 'each has its own')
  first.release()
  first.release()
  t.is(slots.activeOf('CT1'), 1)
  t.is(typeof slots.take('CT1', limits), 'object')
  t.is(slots.take('CT1', limits), 'limit')

  const rate = { maximumAssociations: undefined, associationsPerMinute: 6, burst: 2 }
  t.deepEqual([1, 2, 3].map(() => typeof slots.take('MR1', rate)), ['object', 'object', 'string'])
  nowMs += 9_999
  t.is(slots.take('MR1', rate), 'rate', 'one comes back every ten seconds')
  nowMs += 1
  t.is(typeof slots.take('MR1', rate), 'object')
  nowMs += 3_600_000
  t.deepEqual([1, 2, 3].map(() => typeof slots.take('MR1', rate)), ['object', 'object', 'string'], 'never more than the burst')
  slots.keepOnly(new Set())
  t.is(slots.activeOf('CT1'), 2, 'what is active is counted on')
})

test('refusals: the first at once, repetitions as a number, a flood as another', (t) => {
  let nowMs = 0
  const lines: Record<string, unknown>[] = []
  const log = new RefusalLog({ warn: (message, fields) => lines.push({ message, ...fields }) }, () => nowMs)
  const line = (title: string): RefusalLine => ({ message: 'association refused', key: title, fields: { title } })
  for (let count = 0; count < 50; count++) log.note(line('CT1'))
  t.deepEqual(lines, [{ message: 'association refused', title: 'CT1' }])
  nowMs = 60_000
  log.sweep()
  t.deepEqual(lines.at(-1), { message: 'association refused', title: 'CT1', repeated: 49 })
  for (let count = 0; count < 1_000; count++) log.note(line(`X${count}`))
  t.true(lines.length < 70, `${lines.length} lines`)
  nowMs = 120_000
  log.sweep()
  t.deepEqual(lines.at(-1), { message: 'many others were refused as well', refused: 940 })
  log.stop()
})

test('unknown peers: a flood of titles drives out itself', (t) => {
  const peers = new UnknownPeers(64, () => new Date('2026-01-01T00:00:00Z'))
  const knock = (aeTitle: string, address: string): Knock => ({ aeTitle, address, calledAeTitle: 'X', cause: 'unknown', wasLetIn: false, contexts: Array.from({ length: 128 }, (_, n) => `1.2.${n}`), implementationVersionName: 'V'.repeat(1_000) })
  peers.note(knock('CT1', '10.0.0.1'))
  for (let count = 0; count < 5_000; count++) peers.note(knock(`X${count}`, '10.6.6.6'))
  t.is(peers.all.length, 17, 'sixteen of one address')
  for (let count = 0; count < 5_000; count++) peers.note(knock(`Y${count}`, `10.7.0.${count % 4}`))
  t.is(peers.all.length, 64)
  t.true(peers.all.some(({ aeTitle }) => aeTitle === 'CT1'))
  peers.note(knock('CT1', '10.0.0.1'))
  const [first] = peers.all
  t.is(first?.count, 2)
  t.is(first?.contexts.length, 32)
  t.is(first?.implementationVersionName?.length, 128)
})

test('host names: the last addresses hold while a name cannot be resolved; a knock looks it up anew', async (t) => {
  let nowMs = 0
  let answer: readonly string[] | undefined = ['10.0.0.1', '2001:db8::1']
  const warnings: string[] = []
  const names = new HostNames({
    log: { warn: (message) => warnings.push(message), info: (message) => warnings.push(message) },
    resolveMs: 300_000,
    now: () => nowMs,
    lookup: async () => answer ?? Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
  })
  await names.use(new Set(['pacs.example']))
  t.true(names.addressesOf('pacs.example')?.has('10.0.0.1'))
  t.true(names.addressesOf('pacs.example')?.has('2001:db8::1'))
  t.false(await names.refresh(['pacs.example']), 'a moment ago')
  answer = undefined
  nowMs += 10_000
  t.true(await names.refresh(['pacs.example']))
  nowMs += 10_000
  t.true(await names.refresh(['pacs.example']))
  t.deepEqual(warnings, ['a host name of the peers file cannot be resolved; its last addresses hold'], 'told once')
  t.true(names.addressesOf('pacs.example')?.has('10.0.0.1'))
  t.deepEqual(names.problems, [{ name: 'pacs.example', problem: 'ENOTFOUND' }])
  answer = ['10.0.0.2']
  nowMs += 10_000
  await names.refresh(['pacs.example'])
  t.false(names.addressesOf('pacs.example')?.has('10.0.0.1'))
  t.deepEqual(names.problems, [])
})

test('shared slots: one count for all processes, and what a process had is free when it has ended', (t) => {
  const slots = new SharedSlots()
  const limits = { maximumAssociations: 2 }
  t.deepEqual([slots.take('w1', 'CT1', limits), slots.take('w2', 'CT1', limits), slots.take('w1', 'CT1', limits)], ['taken', 'taken', 'limit'])
  slots.give('w3', 'CT1')
  t.is(slots.take('w1', 'CT1', limits), 'limit', 'who has none gives none back')
  slots.left('w2')
  t.is(slots.take('w1', 'CT1', limits), 'taken')
  slots.give('w1', 'CT1')
  slots.give('w1', 'CT1')
  t.deepEqual([slots.take('w2', 'CT1', limits), slots.take('w2', 'CT1', limits), slots.take('w2', 'CT1', limits)], ['taken', 'taken', 'limit'])
  const rate = { associationsPerMinute: 2 }
  t.deepEqual([slots.take('w1', 'CT2', rate), slots.take('w2', 'CT2', rate), slots.take('w1', 'CT2', rate)], ['taken', 'taken', 'rate'])
})
