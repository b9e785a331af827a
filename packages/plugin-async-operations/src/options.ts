import { z } from 'zod'

/** Largest number the item can carry (PS3.7 D.3.3.3.1). */
export const LARGEST_COUNT = 65_535
const DEFAULT_OPERATIONS = 8

/** How many operations may be under way at once on one association, as this side sees it; 0: no limit but the framework's. */
export interface Window {
  /** Requests of the peer that this side performs at once. */
  readonly performed: number
  /** Requests of this side that the peer is given at once. */
  readonly invoked: number
}

/** What holds for associations in one role. */
export interface RoleSettings extends Window {
  /** Nothing is negotiated: one operation at a time, each way. */
  readonly off: boolean
}

/** What holds for some peers instead. What is left out is that of the role. */
export interface PeerRule {
  /** AE title of the peer; a `*` at the end stands for any rest. Undefined: any. */
  readonly aeTitle?: string | undefined
  /** Address of the peer, or the host name that it is called by. Undefined: any. */
  readonly host?: string | undefined
  readonly off?: boolean | undefined
  readonly performed?: number | undefined
  readonly invoked?: number | undefined
}

/** The same with defaults filled in. */
export interface ResolvedAsyncOperationsOptions {
  readonly acceptor: RoleSettings
  readonly requestor: RoleSettings
  readonly peers: readonly PeerRule[]
}

type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined }

/** What is written in a config. */
export interface AsyncOperationsOptions {
  /** Associations that peers request from this side. */
  readonly acceptor?: Optional<RoleSettings> | undefined
  /** Associations that this side requests from peers. */
  readonly requestor?: Optional<RoleSettings> | undefined
  /** What holds for some peers instead; the first rule that fits counts. */
  readonly peers?: readonly PeerRule[] | undefined
}

const count = z.int().min(0).max(LARGEST_COUNT)
const PERFORMED = 'Requests of the peer performed at once on one association; the others wait. 0: as many as limits.maximumPerformedOperations'
const INVOKED = 'Requests of this side that the peer is given at once on one association. 0: as many as limits.maximumInvokedOperations'

const roleSettings = z.strictObject({
  performed: count.default(DEFAULT_OPERATIONS).describe(PERFORMED),
  invoked: count.default(DEFAULT_OPERATIONS).describe(INVOKED),
  off: z.boolean().default(false).describe('Negotiate nothing: one operation at a time, each way'),
})

const peerRule = z
  .strictObject({
    // PS3.5 6.2, VR AE.
    aeTitle: z
      .string()
      .regex(/^[\x20-\x5b\x5d-\x7e]{1,16}$/, { error: 'must be an AE title of 1 to 16 characters; a * at the end stands for any rest' })
      .optional()
      .describe('AE title of the peer: the calling one when it calls, the called one when it is called. A * at the end stands for any rest'),
    host: z.string().min(1).optional().describe('Address of the peer; when it is called, the host name or address that it is called by'),
    off: z.boolean().optional().describe('Negotiate nothing with this peer'),
    performed: count.optional().describe(`${PERFORMED}. Default: that of the role`),
    invoked: count.optional().describe(`${INVOKED}. Default: that of the role`),
  })
  .superRefine((rule, context) => {
    const hasNumbers = rule.performed !== undefined || rule.invoked !== undefined
    if (rule.aeTitle === undefined && rule.host === undefined) complain(context, 'names no peer: give aeTitle or host')
    if (rule.off === undefined && !hasNumbers) complain(context, 'changes nothing: give off, performed or invoked')
    if (rule.off === true && hasNumbers) complain(context, 'has off and numbers: with off: true nothing is negotiated')
  })

function complain(context: z.core.$RefinementCtx, message: string): void {
  context.addIssue({ code: 'custom', message })
}

/** The schema of the options; `schema.json` is made from it. */
export const asyncOperationsOptions: z.ZodType<ResolvedAsyncOperationsOptions, AsyncOperationsOptions> = z
  .strictObject({
    acceptor: roleSettings.prefault({}).describe('Associations that peers request from this side'),
    requestor: roleSettings.prefault({}).describe('Associations that this side requests from peers'),
    peers: z.array(peerRule).default([]).describe('What holds for some peers instead; the first rule that fits counts'),
  })
  .describe('Options of @dicomtap/plugin-async-operations')
