/** Result/Reason of a presentation context in an A-ASSOCIATE-AC (PS3.8 table 9-18). */
export const ContextResult = {
  Acceptance: 0,
  UserRejection: 1,
  NoReason: 2,
  AbstractSyntaxNotSupported: 3,
  TransferSyntaxesNotSupported: 4,
} as const
export type ContextResult = (typeof ContextResult)[keyof typeof ContextResult]

/** A presentation context that this AE supports as acceptor. */
export interface SupportedContext {
  readonly abstractSyntax: string
  /** In order of preference: the first one that the requestor also proposed is accepted. */
  readonly transferSyntaxes: readonly string[]
  /**
   * Roles the acceptor lets the requestor take when it proposes them (PS3.7 D.3.3.4). Without it,
   * proposals are ignored and the default roles hold: requestor SCU, acceptor SCP.
   */
  readonly roles?: { readonly scu: boolean; readonly scp: boolean }
}

/** A presentation context that this AE proposes as requestor. */
export interface RequestedContext {
  readonly abstractSyntax: string
  /**
   * In order of preference; the acceptor picks one. Default: the uncompressed ones of PS3.5 10; of a video class
   * its codecs.
   */
  readonly transferSyntaxes?: readonly string[]
  /**
   * Roles this side wants to have (PS3.7 D.3.3.4): `{ scu: false, scp: true }` to be served as SCP, e.g. for
   * the storage contexts of a C-GET. Without it no role is proposed and this side is SCU. The item is per
   * SOP class: contexts with the same abstract syntax cannot propose different roles.
   */
  readonly roles?: { readonly scu: boolean; readonly scp: boolean }
}

/** How many operations may be outstanding at once (PS3.7 D.3.3.3); 0 is unlimited. */
export interface OperationsWindow {
  /** Operations that the requestor may invoke. */
  readonly invoked: number
  /** Operations that the requestor performs for the acceptor. */
  readonly performed: number
}

/** A presentation context as proposed in an A-ASSOCIATE-RQ. */
export interface ProposedContext {
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntaxes: readonly string[]
}

/** A presentation context that both sides agreed on. */
export interface AcceptedContext {
  /** Odd, 1 to 255. */
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntax: string
  /** May this side invoke operations on it, may it perform them. */
  readonly asScu: boolean
  readonly asScp: boolean
}

/** A presentation context that was not accepted. */
export interface RejectedContext {
  readonly id: number
  readonly abstractSyntax: string
  readonly result: ContextResult
}

/** An SCP/SCU role selection proposal or reply (PS3.7 D.3.3.4). */
export interface RoleSelection {
  readonly sopClassUid: string
  readonly scuRole: boolean
  readonly scpRole: boolean
}

/** A-ASSOCIATE-RJ fields (PS3.8 9.3.4): what a rejection says. */
export interface Rejection {
  /** 1 permanent, 2 transient. */
  readonly result: 1 | 2
  /** 1 service-user, 2 service-provider (ACSE), 3 service-provider (presentation). */
  readonly source: 1 | 2 | 3
  /** Meaning depends on `source`. */
  readonly reason: number
  /** For the log and `associationRejected`; the peer does not see it. */
  readonly why?: string
}
