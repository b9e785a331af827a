import type { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from 'tapable'
import type { AcceptedContext, OperationsWindow, Rejection, RequestedContext, RoleSelection } from '../acse/types.ts'
import type { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import type { Association } from '../association/association.ts'
import type { AssociationSettings } from '../association/settings.ts'
import type { AssociateTls, ListenerOptions, ResolvedConfig } from '../config/types.ts'
import type { DataSet } from '../dataset/types.ts'
import type { CommandSet } from '../dimse/command-set.ts'
import type {
  CEchoRequest,
  CFindAnswer,
  CFindRequest,
  CGetRequest,
  CMoveRequest,
  CStoreRequest,
  DimseService,
  FindMatch,
  MoveDestination,
  NActionRequest,
  NCreateRequest,
  NDeleteRequest,
  NEventReportRequest,
  NGetRequest,
  NServiceAnswer,
  NSetRequest,
  Operation,
  RetrieveAnswer,
  StatusAnswer,
  StatusDetails,
} from '../dimse/types.ts'
import type { DulAction, DulEvent, DulState } from '../dul/transition-table.ts'
import type { TransportSocket } from '../dul/transport.ts'
import type { DicomtapError } from '../errors/index.ts'
import type { AAbort, AAssociateAc, AAssociateRj, AAssociateRq, AReleaseRp, AReleaseRq, Pdu } from '../pdu/types.ts'
import type {
  AsynchronousOperationsWindow,
  SopClassCommonExtended,
  SopClassExtended,
  UserIdentityRequest,
} from '../pdu/user-items/types.ts'

/** Carried by every notification: which association it is about. */
export interface AssociationEvent {
  readonly association: Association
}
export interface ConnectionEvent extends AssociationEvent {
  readonly remoteAddress: string
  readonly remotePort: number
}
/** Raw bytes in the pieces in which the socket gave or took them. Valid only during the call: copy to keep. */
export interface DataEvent extends AssociationEvent {
  readonly data: Uint8Array
}
/** A P-DATA-TF PDU as it is announced to observers: what it held, without the bytes (they stream on). */
export interface PDataTfSummary {
  readonly type: 'P-DATA-TF'
  readonly lengthBytes: number
  readonly pdvs: readonly {
    readonly presentationContextId: number
    readonly isCommand: boolean
    readonly isLast: boolean
    readonly lengthBytes: number
  }[]
}
export interface PduEvent extends AssociationEvent {
  readonly pdu: Pdu | PDataTfSummary
}
/** An association primitive of PS3.8 section 7. */
export type AcsePrimitive = AAssociateRq | AAssociateAc | AAssociateRj | AReleaseRq | AReleaseRp | AAbort | { readonly type: 'A-P-ABORT'; readonly reason: number }
export interface AcseEvent extends AssociationEvent {
  readonly primitive: AcsePrimitive
}
export interface DimseEvent extends AssociationEvent {
  readonly presentationContextId: number
  readonly command: CommandSet
}
export interface StateChangedEvent extends AssociationEvent {
  readonly currentState: DulState
  readonly dulEvent: DulEvent
  readonly action: DulAction
  readonly nextState: DulState
}
export interface AssociationRejectedEvent extends AssociationEvent, Rejection {
  /** For the log: which check or handler refused it. The peer does not see it. */
  readonly why: string
}
export interface AssociationAbortedEvent extends AssociationEvent {
  /** 0 service-user, 2 service-provider; undefined when the connection was lost. */
  readonly source: number | undefined
  readonly reason: number
  /** Who ended it: the peer, this side, or the network. */
  readonly by: 'peer' | 'local' | 'network'
  /** For the log: why this side aborted. */
  readonly message: string | undefined
}
export interface OperationEvent {
  readonly operation: Operation
}
export interface OperationCompletedEvent extends OperationEvent {
  readonly status: number
  readonly errorComment: string | undefined
  readonly durationMs: number
  /** Data set bytes received with the request. */
  readonly receivedBytes: number
  /** Responses sent, the final one included. 0 when the association ended first. */
  readonly responses: number
}
export interface SubOperationEvent extends OperationEvent {
  /** Undefined: a source that could not be opened, and is not known otherwise. */
  readonly sopInstanceUid: string | undefined
  readonly status: number
}
export interface HookFailedEvent {
  readonly hook: string
  readonly plugin: string
  readonly error: DicomtapError
}

/** What `associationRequest` and the negotiation hooks are asked about. */
export interface AssociationRequestInfo {
  readonly association: Association
  /** The A-ASSOCIATE-RQ as received. */
  readonly request: AAssociateRq
}
export interface UserIdentityAnswer {
  readonly verified: boolean
  /** Kerberos server ticket, SAML response or JWT; sent only when the peer asked for a response. */
  readonly response?: Uint8Array
  /** When not verified; default transient, service-provider (ACSE), no reason given (2,2,1). */
  readonly rejection?: Rejection
}
export interface LifecycleEvent {
  readonly applicationEntity: ApplicationEntity
}
export interface ListeningEvent extends LifecycleEvent {
  readonly server: AssociationServer
}
/** What `dicomtap check` tells the operator. */
export interface Finding {
  /**
   * `error`: it does not work, or will not be safe. `warning`: it works, and somebody should look at it. `info`: how
   * things stand.
   */
  readonly level: 'error' | 'warning' | 'info'
  /** The plugin that found it. */
  readonly plugin: string
  /** One line: what, where, what to do. */
  readonly message: string
}
export interface DiagnoseEvent extends LifecycleEvent {
  /** Tells the operator of something. */
  report(finding: Finding): void
}
export interface WarmUpEvent extends LifecycleEvent {
  /**
   * One that nobody knows of: it logs nothing, listens nowhere, and is closed when the warm-up ends. A plugin that wants
   * to rehearse what it does with requests uses a plugin there that does the same, with nothing to remember it by.
   */
  readonly rehearsal: ApplicationEntity
  /** Aborted when the ApplicationEntity closes. */
  readonly signal: AbortSignal
}
/**
 * A connection that a peer opened on a listener, before anything of it was read. Handlers of `incomingConnection`
 * return it, changed or not.
 */
export interface IncomingConnection {
  /** As accepted, paused; or what a handler before put in its place, such as a `tls.TLSSocket` after its handshake. */
  readonly socket: TransportSocket
  /** Who connected. A handler that knows better, behind a load balancer, changes it. */
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** Aborted when the time is over (`timeouts.acseMs`), the connection has to make room, or the server closes. */
  readonly signal: AbortSignal
}
export interface ConfigEvent extends LifecycleEvent {
  readonly config: ResolvedConfig
}
/**
 * An association that this side is about to request: what `associate` was given, defaults filled in.
 * Handlers of `outgoingAssociation` return it, changed or not.
 */
export interface OutgoingAssociationOptions {
  readonly host: string
  readonly port: number
  readonly calledAeTitle: string
  readonly callingAeTitle: string
  /** 1 to 128, in the order in which they get their IDs. */
  readonly contexts: readonly RequestedContext[]
  /** Proposed window; undefined: the item is not sent. */
  readonly asynchronousOperations?: OperationsWindow | undefined
  /** Undefined: the item is not sent. */
  readonly userIdentity?: UserIdentityRequest | undefined
  readonly sopClassExtended: readonly SopClassExtended[]
  readonly sopClassCommonExtended: readonly SopClassCommonExtended[]
  /** What `associate` was given as `tls`: not undefined and not false when the connection must be secured. */
  readonly tls?: AssociateTls | boolean | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** What `associationAnswer` is asked about. */
export interface AssociationAnswerInfo {
  readonly association: Association
  readonly request: AAssociateRq
  /** The A-ASSOCIATE-AC as received. */
  readonly accept: AAssociateAc
}

/** Extra per-tap options. */
export interface TapExtras {
  /** Only ask this tap for operations on these SOP classes. */
  readonly sopClasses?: readonly string[]
}

type Notification<Event> = SyncHook<[Event], void, TapExtras>
type Ask<Request, Answer> = AsyncSeriesBailHook<[Request, Operation], Answer | undefined, TapExtras>
type Transform<Value, Context> = AsyncSeriesWaterfallHook<[Value, Context], Value, TapExtras>

/**
 * One frozen table per ApplicationEntity. `hooks/catalog.ts` documents each entry; `docs/reference/hooks.md`
 * is generated from it.
 */
export interface HookTable {
  // notification
  readonly connectionOpened: Notification<ConnectionEvent>
  readonly connectionClosed: Notification<ConnectionEvent>
  readonly dataReceived: Notification<DataEvent>
  readonly dataSent: Notification<DataEvent>
  readonly pduReceived: Notification<PduEvent>
  readonly pduSent: Notification<PduEvent>
  readonly acseReceived: Notification<AcseEvent>
  readonly acseSent: Notification<AcseEvent>
  readonly dimseReceived: Notification<DimseEvent>
  readonly dimseSent: Notification<DimseEvent>
  readonly stateChanged: Notification<StateChangedEvent>
  readonly associationRequested: Notification<AssociationEvent>
  readonly associationAccepted: Notification<AssociationEvent>
  readonly associationEstablished: Notification<AssociationEvent>
  readonly associationRejected: Notification<AssociationRejectedEvent>
  readonly associationReleased: Notification<AssociationEvent>
  readonly associationAborted: Notification<AssociationAbortedEvent>
  readonly operationStarted: Notification<OperationEvent>
  readonly operationCancelled: Notification<OperationEvent>
  readonly operationCompleted: Notification<OperationCompletedEvent>
  readonly subOperationCompleted: Notification<SubOperationEvent>
  readonly hookFailed: Notification<HookFailedEvent>
  // intervention: association
  readonly associationRequest: AsyncSeriesBailHook<[AssociationRequestInfo], Rejection | undefined, TapExtras>
  readonly userIdentity: AsyncSeriesBailHook<[UserIdentityRequest, AssociationRequestInfo], UserIdentityAnswer | undefined, TapExtras>
  readonly authorization: AsyncSeriesBailHook<[AssociationRequestInfo], Rejection | undefined, TapExtras>
  readonly asyncOperations: AsyncSeriesBailHook<
    [AsynchronousOperationsWindow, AssociationRequestInfo],
    { readonly invoked: number; readonly performed: number } | undefined,
    TapExtras
  >
  readonly roleSelection: AsyncSeriesBailHook<
    [readonly RoleSelection[], AssociationRequestInfo],
    readonly RoleSelection[] | undefined,
    TapExtras
  >
  readonly sopClassExtended: AsyncSeriesBailHook<
    [readonly SopClassExtended[], AssociationRequestInfo],
    readonly SopClassExtended[] | undefined,
    TapExtras
  >
  readonly sopClassCommonExtended: AsyncSeriesBailHook<
    [readonly SopClassCommonExtended[], AssociationRequestInfo],
    readonly SopClassCommonExtended[] | undefined,
    TapExtras
  >
  readonly outgoingConnection: AsyncSeriesBailHook<[OutgoingAssociationOptions, Operation | undefined], TransportSocket | undefined, TapExtras>
  readonly associationAnswer: AsyncSeriesBailHook<[AssociationAnswerInfo], string | undefined, TapExtras>
  // intervention: services
  readonly cEcho: Ask<CEchoRequest, StatusAnswer>
  readonly cStore: Ask<CStoreRequest, StatusAnswer>
  readonly cFind: Ask<CFindRequest, CFindAnswer>
  readonly cGet: Ask<CGetRequest, RetrieveAnswer>
  readonly cMove: Ask<CMoveRequest, RetrieveAnswer>
  readonly moveDestination: AsyncSeriesBailHook<[string, Operation], MoveDestination | undefined, TapExtras>
  readonly nEventReport: Ask<NEventReportRequest, NServiceAnswer>
  readonly nGet: Ask<NGetRequest, NServiceAnswer>
  readonly nSet: Ask<NSetRequest, NServiceAnswer>
  readonly nAction: Ask<NActionRequest, NServiceAnswer>
  readonly nCreate: Ask<NCreateRequest, NServiceAnswer>
  readonly nDelete: Ask<NDeleteRequest, NServiceAnswer>
  // transform
  readonly incomingConnection: Transform<IncomingConnection, ListeningEvent>
  readonly associationSettings: Transform<AssociationSettings, AssociationRequestInfo>
  readonly acceptedContexts: Transform<readonly AcceptedContext[], AssociationRequestInfo>
  readonly listenerOptions: Transform<ListenerOptions, LifecycleEvent>
  readonly outgoingAssociation: Transform<OutgoingAssociationOptions, Operation | undefined>
  readonly findIdentifier: Transform<DataSet, Operation>
  readonly findMatch: Transform<FindMatch, Operation>
  readonly responseStatus: SyncWaterfallHook<[StatusDetails, Operation], StatusDetails, TapExtras>
  // lifecycle
  readonly configResolved: AsyncSeriesHook<[ConfigEvent], TapExtras>
  readonly ready: AsyncSeriesHook<[LifecycleEvent], TapExtras>
  readonly listening: AsyncSeriesHook<[ListeningEvent], TapExtras>
  readonly warmUp: AsyncSeriesHook<[WarmUpEvent], TapExtras>
  readonly configReload: AsyncSeriesHook<[ConfigEvent], TapExtras>
  readonly preClose: AsyncSeriesHook<[LifecycleEvent], TapExtras>
  readonly diagnose: AsyncSeriesHook<[DiagnoseEvent], TapExtras>
}

export type HookName = keyof HookTable
export type HookKind = 'notification' | 'intervention' | 'transform' | 'lifecycle'

/** Hooks that a DIMSE service asks. */
export type ServiceHookName =
  | 'cEcho'
  | 'cStore'
  | 'cFind'
  | 'cGet'
  | 'cMove'
  | 'nEventReport'
  | 'nGet'
  | 'nSet'
  | 'nAction'
  | 'nCreate'
  | 'nDelete'

/** Hooks that decide on an association request. */
export type AssociationHookName =
  | 'associationRequest'
  | 'userIdentity'
  | 'authorization'
  | 'asyncOperations'
  | 'roleSelection'
  | 'sopClassExtended'
  | 'sopClassCommonExtended'
  | 'outgoingConnection'
  | 'associationAnswer'
export type LifecycleHookName = 'configResolved' | 'ready' | 'listening' | 'warmUp' | 'configReload' | 'preClose' | 'diagnose'
export type NotificationHookName = Exclude<SyncHookName, 'responseStatus'>
export type InterventionHookName = AssociationHookName | ServiceHookName | 'moveDestination'
export type TransformHookName = Exclude<HookName, NotificationHookName | InterventionHookName | LifecycleHookName>

/** Which hook a DIMSE service asks. */
export type ServiceHooks = Readonly<Record<DimseService, ServiceHookName>>

type Awaitable<T> = T | Promise<T>

/** The arguments that a hook's handlers get. */
export type HookArguments<Name extends HookName> = HookTable[Name] extends { call(...args: infer A): unknown }
  ? A
  : HookTable[Name] extends { promise(...args: infer A): Promise<unknown> }
    ? A
    : never

/** Hooks whose handlers run synchronously: every notification, and `responseStatus`. */
export type SyncHookName = { [Name in HookName]: HookTable[Name] extends { call(...args: never[]): unknown } ? Name : never }[HookName]

/** The function a hook takes: `bind('cStore', handler)` and `api.hooks.cStore.tapPromise(handler)`. */
export type HookHandler<Name extends HookName> = HookTable[Name] extends { call(...args: infer A): infer R }
  ? (...args: A) => R
  : HookTable[Name] extends { promise(...args: infer A): Promise<infer R> }
    ? (...args: A) => Awaitable<R>
    : never

/** Handlers by the name of their hook, as options take them. */
export type HookHandlers = { readonly [Name in HookName]?: HookHandler<Name> }

/** What a tap may say about its place. */
export interface TapOptions extends TapExtras {
  /** Default `Stage.Default`. */
  readonly stage?: number
  /** Name of the plugin whose tap this one must precede; without such a tap it says nothing. */
  readonly before?: string
}

/** The tap-only view of one synchronous hook that plugins get: the tap's name is the plugin's. */
export interface SyncTapFacade<Name extends HookName> {
  tap(handler: HookHandler<Name>): void
  tap(options: TapOptions, handler: HookHandler<Name>): void
}

/** The tap-only view of one asynchronous hook that plugins get. */
export interface TapFacade<Name extends HookName> extends SyncTapFacade<Name> {
  /** As `tap`; reads better where the handler is async. */
  tapPromise(handler: HookHandler<Name>): void
  tapPromise(options: TapOptions, handler: HookHandler<Name>): void
}

/** The tap-only table that plugins get as `api.hooks`. */
export type HookFacade = { readonly [Name in HookName]: Name extends SyncHookName ? SyncTapFacade<Name> : TapFacade<Name> }
