import { isIP } from 'node:net'
import { DEFAULT_PORT, describeRejection } from '@dicomtap/framework'
import type { CommandInvocation } from '@dicomtap/framework'
import { plainAddress } from '../addresses.ts'
import { HostNames } from '../host-names.ts'
import { decide, describeRefusal, describeRule, identify } from '../policy/decide.ts'
import type { Admission, Refusal } from '../policy/decide.ts'
import type { Facts } from '../policy/facts.ts'
import { normalFingerprint } from '../policy/facts.ts'
import { rejectionOf } from '../rejections.ts'
import { CommandError, contextOf, readPolicy } from './context.ts'

const SILENT = { warn: (): void => {}, info: (): void => {} }

/** Tells what would become of an association, and which rule or peer decides. Gives 1 when it would be refused. */
export async function explain(invocation: CommandInvocation): Promise<number> {
  const { options: flags, stdout } = invocation
  const facts = factsOf(invocation, await calledBy(invocation))
  const { policy } = await readPolicy(await contextOf(invocation))
  const hostNames = new HostNames({ log: SILENT, resolveMs: 300_000 })
  await hostNames.use(policy.hostNames)
  const { peer } = identify(policy, facts, hostNames.addressesOf)
  const verdict = decide(policy, facts, hostNames.addressesOf)
  const rules = policy.rules.map((rule) => ({ rule: describeRule(rule), fits: rule.fit(facts, peer?.entry.group) === 'yes' }))
  const answer = { ...(verdict.outcome === 'deny' ? refused(verdict) : letIn(verdict)), rules, unresolved: hostNames.problems.map(({ name }) => name) }
  if (flags['json'] === true) {
    stdout.write(`${JSON.stringify(answer, null, 2)}\n`)
  } else {
    const { callingAeTitle, address, calledAeTitle, port } = facts
    stdout.write(`${callingAeTitle} at ${address}, which calls ${calledAeTitle} on port ${port}: ${answer.outcome}\n`)
    for (const { rule, fits } of rules) stdout.write(`  ${rule} ${fits ? 'fits' : 'does not fit'}\n`)
    for (const [word, text] of Object.entries(answer.details)) stdout.write(`  ${word}: ${text}\n`)
    for (const name of answer.unresolved) stdout.write(`  ${name} cannot be resolved\n`)
  }
  return verdict.outcome === 'deny' ? 1 : 0
}

interface Answer {
  readonly outcome: string
  readonly isLetIn: boolean
  readonly details: Readonly<Record<string, string>>
}

function refused(refusal: Refusal): Answer {
  const rejection = rejectionOf(refusal.rejection)
  return {
    outcome: 'refused',
    isLetIn: false,
    details: { why: describeRefusal(refusal), rejection: `${refusal.rejection.join(',')} ${describeRejection(rejection)}` },
  }
}

function letIn({ by, peer, grant, profile: { profile } }: Admission): Answer {
  const services = grant.rules.map(({ entry, services: rights }) => `${entry.action} ${rights?.names.join(', ') ?? ''}`)
  const { maximumAssociations, associationsPerMinute } = profile
  return {
    outcome: 'let in',
    isLetIn: true,
    details: {
      'decided by': by,
      ...(peer === undefined ? {} : { peer: peer.name }),
      ...(services.length === 0 ? {} : { 'rules on services': services.join('; ') }),
      may: grant.rights.names.join(', ') || 'nothing else',
      ...(maximumAssociations === undefined ? {} : { 'associations at once': String(maximumAssociations) }),
      ...(associationsPerMinute === undefined ? {} : { 'associations a minute': String(associationsPerMinute) }),
    },
  }
}

/** What is called where nothing is said about it: the first listener that fits. */
async function calledBy({ options: { file, tls, fingerprint }, loadConfig }: CommandInvocation): Promise<{ readonly aeTitle: string; readonly port: number }> {
  const config = file === undefined ? await loadConfig() : undefined
  const wantsTls = tls === true || fingerprint !== undefined
  const listener = config?.listen.find((one) => (one.tls !== undefined && one.tls !== false) === wantsTls) ?? config?.listen[0]
  return { aeTitle: listener?.aeTitle ?? config?.aeTitle ?? 'ANY-SCP', port: listener?.port ?? DEFAULT_PORT }
}

function factsOf({ arguments: [title = ''], options }: CommandInvocation, called: { readonly aeTitle: string; readonly port: number }): Facts {
  const address = plainAddress(String(options['host']))
  if (isIP(address) === 0) throw new CommandError('--host must be an IP address: that is what a server sees', 2)
  const port = Number(options['port'] ?? called.port)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new CommandError('--port must be 1 to 65535', 2)
  const { user, fingerprint, called: calledAeTitle = called.aeTitle } = options as { readonly user?: string; readonly fingerprint?: string; readonly called?: string }
  const roles = typeof options['roles'] === 'string' ? options['roles'].split(',').map((role) => role.trim()) : []
  const isSecured = options['tls'] === true || fingerprint !== undefined
  return {
    callingAeTitle: String(title),
    calledAeTitle,
    address,
    port,
    isSecured,
    certificate:
      fingerprint === undefined
        ? undefined
        : { fingerprint: normalFingerprint(fingerprint), subject: '', commonName: undefined, names: [], aeTitles: [], isAuthorized: false },
    user: user === undefined ? undefined : { type: 2, user, roles },
  }
}
