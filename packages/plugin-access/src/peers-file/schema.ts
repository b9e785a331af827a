import { z } from 'zod'
import { parseHost } from '../addresses.ts'
import { hasWildcard } from '../patterns.ts'
import { isRejectionTriple } from '../rejections.ts'
import type { RejectionTriple } from '../rejections.ts'
import { RIGHT_NAMES, rightProblem } from '../rights.ts'
import { settingNumbers } from './setting-numbers.ts'
import { OMITTABLE_USER_ITEMS } from './types.ts'
import type { OmittableUserItem, PeersFile } from './types.ts'

const WITHOUT_QUOTES = ({ input }: { readonly input?: unknown }): string => (input === undefined ? 'is missing' : 'must be text: put it in quotes')

/** Limits of the whole ApplicationEntity, and those that hold before it is known whose request it is. */
const COMMON_LIMITS = [
  'maximumAssociations',
  'maximumPendingAssociations',
  'maximumAssociatePduBytes',
  'maximumAssociateItems',
  'maximumPresentationContexts',
  'maximumUserItems',
  'maximumGatheredBytes',
  'closeDeadlineMs',
]

function oneOrMore<Item extends z.ZodType>(item: Item): z.ZodType<readonly z.output<Item>[], z.input<Item> | readonly z.input<Item>[]> {
  return z.union([item, z.array(item).min(1)]).transform((value) => (Array.isArray(value) ? value : [value])) as never
}

function described<Schema extends z.ZodType>(schema: Schema, description: string): Schema {
  return schema.meta({ ...schema.meta(), description }) as Schema
}

/** PS3.5 6.2, AE; wildcards are characters like others there. */
const titlePattern = z
  .string({ error: WITHOUT_QUOTES })
  .regex(/^[\x20-\x5b\x5d-\x7e]{1,16}$/, 'is no AE title: 1 to 16 characters, no backslash')
  .refine((title) => title.trim() !== '', 'is no AE title: it has only spaces')
const title = titlePattern.refine((text) => !hasWildcard(text), 'must be one AE title, without wildcards')
const pattern = z.string({ error: WITHOUT_QUOTES }).min(1).max(1024)

const host = z.string({ error: WITHOUT_QUOTES }).superRefine((text, context) => {
  if (parseHost(text) === undefined) {
    context.addIssue({ code: 'custom', message: `'${text.slice(0, 64)}' is no IP address, network (10.0.0.0/8) or host name` })
  }
})
const network = host.superRefine((text, context) => {
  if (parseHost(text)?.kind === 'name') context.addIssue({ code: 'custom', message: 'must be an IP address or a network: names are for peers' })
})

const right = z
  .string({ error: WITHOUT_QUOTES })
  .superRefine((text, context) => {
    const problem = rightProblem(text)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  .meta({ anyOf: [{ enum: [...RIGHT_NAMES] }, { type: 'string' }] })

const rights = z.union([right, z.array(right)]).transform((value) => (typeof value === 'string' ? [value] : value))

const port = z.int().min(1).max(65_535)
const count = z.int().min(1).max(1_000_000)

export const rejectionTriple: z.ZodType<RejectionTriple, RejectionTriple> = z
  .tuple([z.literal([1, 2]), z.literal([1, 2, 3]), z.int()])
  .refine(isRejectionTriple, 'is no result, source and reason of PS3.8 table 9-21, e.g. [1, 1, 3]')

const limits = z.strictObject(settingNumbers('limits', COMMON_LIMITS))
const timeouts = z.strictObject(settingNumbers('timeouts', ['lifecycleMs']))

const quirks = z.strictObject({
  noAsynchronousOperations: described(z.boolean(), 'It cannot bear the item of asynchronous operations: it gets none, and is sent none.').optional(),
  omitUserItems: described(
    z.array(z.enum(Object.keys(OMITTABLE_USER_ITEMS) as [OmittableUserItem, ...OmittableUserItem[]])),
    'Items that are left out of the answer to it.',
  ).optional(),
  anyCalledAeTitle: described(z.boolean(), 'It may call us by whatever title.').optional(),
})

const profileFields = {
  allow: described(rights, 'Rights: named ones, or SOP classes by keyword or UID. Default: echo and store.').optional(),
  moveTo: described(oneOrMore(titlePattern), 'AE titles that it may have objects moved to; * wildcards. Default: every peer with a port.').optional(),
  calledAeTitles: described(oneOrMore(titlePattern), 'AE titles by which it may call us; * wildcards. Default: any.').optional(),
  requireTls: described(z.boolean(), 'It must come over TLS, whatever a rule says.').optional(),
  requireUserIdentity: described(z.boolean(), 'Its user identity must be verified.').optional(),
  unrestrictedStorage: described(z.boolean(), 'Private and unknown storage SOP classes are accepted from it.').optional(),
  rejectWhenNoContext: described(z.boolean(), 'Reject it when none of its contexts is accepted.').optional(),
  maximumAssociations: described(count, 'Associations at once.').optional(),
  associationsPerMinute: described(count, 'Associations that it may open a minute, on average.').optional(),
  burst: described(count, 'How many it may open at once after a quiet time. Default: associationsPerMinute.').optional(),
  limits: described(limits, 'As limits of the configuration, for its associations.').optional(),
  timeouts: described(timeouts, 'As timeouts of the configuration, for its associations.').optional(),
  quirks: described(quirks, 'What it cannot do, or does wrong.').optional(),
  port: described(port, 'Where it listens, for C-MOVE.').optional(),
  tls: described(z.union([z.boolean(), z.looseObject({})], { error: 'must be true, false or options of plugin-tls' }), 'TLS when this side associates with it.').optional(),
  callingAeTitle: described(title, 'Who we are when this side associates with it.').optional(),
}
const profile = z.strictObject(profileFields)

const certificate = z
  .strictObject({
    fingerprint: described(
      oneOrMore(z.string({ error: WITHOUT_QUOTES }).regex(/^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, 'is no SHA-256 fingerprint: 64 hexadecimal digits')),
      'SHA-256 of the certificate.',
    ).optional(),
    subject: described(pattern, 'The subject as CN=CT1, O=Hospital; * wildcards.').optional(),
    commonName: described(pattern, 'The common name; * wildcards.').optional(),
    san: described(pattern, 'A DNS name, address, URI or e-mail address of the certificate; * wildcards.').optional(),
    aeTitle: described(z.literal(true), 'The calling AE title must be one that plugin-tls reads from the certificate.').optional(),
  })
  .refine((condition) => Object.values(condition).some((value) => value !== undefined), 'must say which certificate')

const user = z
  .strictObject({
    name: described(pattern, 'The username; * wildcards.').optional(),
    role: described(pattern, 'A role; * wildcards.').optional(),
    claims: described(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])), 'Claims of the token and their values.').optional(),
    unproven: described(z.boolean(), 'Usernames without a proof (type 1) too.').optional(),
  })
  .refine(({ name, role, claims }) => [name, role, claims].some((value) => value !== undefined), 'must have name, role or claims')

const peer = z.strictObject({
  name: described(z.string().min(1).max(64), 'For logs and limits. Default: its first AE title.').optional(),
  aeTitle: described(oneOrMore(titlePattern), 'Its AE title or titles; * wildcards.'),
  host: described(oneOrMore(host), 'Where it comes from: IP addresses, networks, host names. Default: anywhere.').optional(),
  certificate: described(certificate, 'The certificate that it shows, whatever a rule says.').optional(),
  group: described(z.string(), 'A group of this file, whose values it has unless it has its own.').optional(),
  description: z.string().max(1024).optional(),
  ...profileFields,
})

const rule = z.strictObject({
  action: z.enum(['allow', 'deny']),
  description: z.string().max(1024).optional(),
  calling: described(oneOrMore(titlePattern), 'Calling AE titles; * wildcards.').optional(),
  called: described(oneOrMore(titlePattern), 'Called AE titles; * wildcards.').optional(),
  address: described(oneOrMore(network), 'IP addresses and networks.').optional(),
  port: described(oneOrMore(port), 'Ports of the listener.').optional(),
  group: described(oneOrMore(z.string()), 'Groups of peers.').optional(),
  secured: described(z.boolean(), 'Over TLS, or not.').optional(),
  certificate: certificate.optional(),
  user: user.optional(),
  services: described(rights, 'Decides on these rights alone, not on the association.').optional(),
  rejection: described(rejectionTriple, 'Result, source and reason of the rejection.').optional(),
})

/** The peers file; `peers.schema.json` is made from it. */
export const peersFileSchema: z.ZodType<PeersFile> = z
  .strictObject({
    $schema: z.string().optional(),
    defaults: described(profile, 'What holds for every peer that says nothing else.').optional(),
    groups: described(z.record(z.string(), profile), 'Profiles by name, for the group of a peer.').nullish().transform((value) => value ?? undefined),
    peers: described(z.array(peer), 'Who may associate.').nullish().transform((value) => value ?? []),
    unknown: described(profile, 'What holds for those that no peer fits, when the default or a rule lets them in. They may echo and store, unless it has allow.').optional(),
    rules: described(z.array(rule), 'Gone through in order before the peers; the first that fits decides.').nullish().transform((value) => value ?? []),
  })
  .superRefine((file, context) => {
    const groups = file.groups ?? {}
    for (const [index, { group }] of file.peers.entries()) {
      if (group !== undefined && !Object.hasOwn(groups, group)) {
        context.addIssue({ code: 'custom', path: ['peers', index, 'group'], message: `there is no group '${group.slice(0, 64)}'` })
      }
    }
    for (const [index, one] of file.rules.entries()) {
      for (const group of one.group ?? []) {
        if (!Object.hasOwn(groups, group)) context.addIssue({ code: 'custom', path: ['rules', index, 'group'], message: `there is no group '${group.slice(0, 64)}'` })
      }
      if (one.action === 'allow' && one.rejection !== undefined) {
        context.addIssue({ code: 'custom', path: ['rules', index, 'rejection'], message: 'is for rules that deny' })
      }
      if (one.services !== undefined && one.rejection !== undefined) {
        context.addIssue({ code: 'custom', path: ['rules', index, 'rejection'], message: 'is for rules without services: a service is refused by a status' })
      }
    }
  })
  .meta({ title: 'Peers of dicomtap' }) as unknown as z.ZodType<PeersFile>

/** Schemas of files that people write, by the name of the JSON Schema that is made of each. */
export const fileSchemas: Readonly<Record<string, z.ZodType>> = { 'peers.schema.json': peersFileSchema }
