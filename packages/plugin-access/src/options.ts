import { z } from 'zod'
import { parseHost } from './addresses.ts'
import { DEFAULT_REJECTIONS, REFUSAL_CAUSES } from './rejections.ts'
import type { RefusalCause, RejectionTriple } from './rejections.ts'
import { rejectionTriple } from './peers-file/schema.ts'
import { MAXIMUM_UNKNOWN_PEERS } from './unknown-peers/file.ts'

const LONGEST_MS = 2 ** 31 - 1

/** What goes into `access(...)` and under `options` in a config file. */
export interface AccessPluginOptions {
  /** The peers file, YAML or JSON. A relative path starts at the config file. Default `./peers.yaml`. */
  readonly peers?: string | undefined
  /** What becomes of those that no rule and no peer fits. Default `deny`. */
  readonly default?: 'deny' | 'allow' | undefined
  /** AE titles by which we may be called; `*` wildcards. Default: any. */
  readonly calledAeTitles?: readonly string[] | undefined
  /** Compare AE titles without case and spaces. Default false. */
  readonly lenientAeTitles?: boolean | undefined
  /** Result, source and reason by cause. */
  readonly rejections?: Partial<Record<RefusalCause, RejectionTriple>> | undefined
  /** List of those that knocked and are not known, `maximum` (default 256) of 1 to 1 000. `false`: none is kept. */
  readonly unknownPeers?: false | { readonly file?: string | undefined; readonly maximum?: number | undefined } | undefined
  /** How often the peers file is looked at for changes. Default 2 000; `null`: never, reload with SIGHUP. */
  readonly watchMs?: number | null | undefined
  /** How often host names are resolved anew. Default 300 000. */
  readonly resolveMs?: number | undefined
}

export interface ResolvedAccessOptions {
  readonly peers: string
  readonly default: 'deny' | 'allow'
  readonly calledAeTitles: readonly string[] | undefined
  readonly lenientAeTitles: boolean
  readonly rejections: Readonly<Record<RefusalCause, RejectionTriple>>
  /** `file` undefined: beside the peers file. */
  readonly unknownPeers: false | { readonly file: string | undefined; readonly maximum: number }
  readonly watchMs: number | null
  readonly resolveMs: number
}

const milliseconds = z.int().min(100).max(LONGEST_MS)
const titlePattern = z.string().regex(/^[\x20-\x5b\x5d-\x7e]{1,16}$/, 'is no AE title: 1 to 16 characters, no backslash')

/** Options of the plugin; `schema.json` is made from it. */
export const accessOptions: z.ZodType<ResolvedAccessOptions, AccessPluginOptions> = z
  .strictObject({
    peers: z.string().min(1).default('./peers.yaml').meta({ description: 'The peers file, YAML or JSON. A relative path starts at the config file.' }),
    default: z.enum(['deny', 'allow']).default('deny').meta({ description: 'What becomes of those that no rule and no peer fits.' }),
    calledAeTitles: z.array(titlePattern).min(1).optional().meta({ description: 'AE titles by which we may be called; * wildcards. Default: any.' }),
    lenientAeTitles: z.boolean().default(false).meta({ description: 'Compare AE titles without case and spaces.' }),
    rejections: z
      .strictObject(Object.fromEntries(REFUSAL_CAUSES.map((cause) => [cause, rejectionTriple.optional()])))
      .default({})
      .meta({ description: 'Result, source and reason of rejections (PS3.8 table 9-21) by cause, e.g. unknown: [1, 1, 3].' }),
    unknownPeers: z
      .union(
        [
          z.literal(false),
          z.strictObject({
            file: z.string().min(1).optional().meta({ description: 'Where they are kept. Default: beside the peers file, peers.unknown.json.' }),
            maximum: z.int().min(1).max(MAXIMUM_UNKNOWN_PEERS).default(256).meta({ description: 'How many are kept at most.' }),
          }),
        ],
        { error: 'must be false, or have file and maximum' },
      )
      .prefault({})
      .meta({ description: 'List of those that knocked and are not known; false: none is kept.' }),
    watchMs: milliseconds.nullable().default(2_000).meta({ description: 'How often the peers file is looked at for changes; null: never, reload with SIGHUP.' }),
    resolveMs: milliseconds.default(300_000).meta({ description: 'How often host names are resolved anew.' }),
  })
  .transform((options): ResolvedAccessOptions => {
    const { unknownPeers } = options
    return {
      ...options,
      calledAeTitles: options.calledAeTitles,
      rejections: { ...DEFAULT_REJECTIONS, ...withoutUndefined(options.rejections) },
      unknownPeers: unknownPeers === false ? false : { file: unknownPeers.file, maximum: unknownPeers.maximum },
    }
  })
  .meta({ description: 'Options of @dicomtap/plugin-access' })

function withoutUndefined(rejections: Readonly<Record<string, RejectionTriple | undefined>>): Partial<Record<RefusalCause, RejectionTriple>> {
  return Object.fromEntries(Object.entries(rejections).filter(([, triple]) => triple !== undefined))
}

/** The key `proxyProtocol` of a listener. */
export interface ProxyProtocolOptions {
  /** Balancers: IP addresses and networks. */
  readonly trusted: readonly string[]
  /** Default both. */
  readonly versions?: readonly (1 | 2)[] | undefined
  /** How long the header may take. Default 5 000. */
  readonly timeoutMs?: number | undefined
  /** What becomes of connections from elsewhere: cut, or heard as they are. Default `refuse`. */
  readonly others?: 'refuse' | 'plain' | undefined
}

export interface ResolvedProxyProtocolOptions {
  readonly trusted: readonly string[]
  readonly versions: readonly (1 | 2)[]
  readonly timeoutMs: number
  readonly others: 'refuse' | 'plain'
}

const balancer = z.string().refine((text) => parseHost(text)?.kind === 'address', 'must be an IP address or a network (10.0.0.0/8)')

/** Says who the balancers are: anybody else could claim any address. */
export const proxyProtocolOptions: z.ZodType<ResolvedProxyProtocolOptions, ProxyProtocolOptions> = z.strictObject({
  trusted: z
    .array(balancer, { error: 'must list the balancers whose word is taken: IP addresses and networks' })
    .min(1, 'must list the balancers whose word is taken')
    .meta({ description: 'Balancers whose word is taken: IP addresses and networks.' }),
  versions: z.array(z.literal([1, 2])).min(1).default([1, 2]).meta({ description: 'Versions of the header that are taken.' }),
  timeoutMs: z.int().min(1).max(LONGEST_MS).default(5_000).meta({ description: 'How long the header may take.' }),
  others: z.enum(['refuse', 'plain']).default('refuse').meta({ description: 'What becomes of connections from elsewhere: cut, or heard as they are.' }),
})

declare module '@dicomtap/framework' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- merged into
  interface ListenerProxyProtocol extends ProxyProtocolOptions {}
}
