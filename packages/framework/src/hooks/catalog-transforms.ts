import type { HookCatalogEntry } from './catalog-entry.ts'
import type { LifecycleHookName, TransformHookName } from './types.ts'

const OPERATION = { name: 'operation', type: 'Operation', description: 'the running operation' } as const
const AE = {
  name: 'event',
  type: 'LifecycleEvent',
  description: 'the ApplicationEntity',
} as const

const TRANSFORM = {
  kind: 'transform',
  tapable: 'AsyncSeriesWaterfallHook',
  noAnswer: 'the value stays as it is; a handler that returns undefined leaves it unchanged',
  since: '0.1.0',
  stability: 'stable',
} as const

const LIFECYCLE = {
  kind: 'lifecycle',
  tapable: 'AsyncSeriesHook',
  returns: 'nothing; a promise is awaited before the next handler runs',
  noAnswer: 'nothing happens',
  since: '0.1.0',
  stability: 'stable',
} as const

const STOPS_START = 'the start stops with the error; later handlers do not run'

/** Hooks that pass a value along, each handler giving it on changed or not. */
export const TRANSFORMS: Readonly<Record<TransformHookName, HookCatalogEntry>> = {
  incomingConnection: {
    ...TRANSFORM,
    fires: 'When a peer has connected to a listener, before anything is read from it: for TLS, and load balancers that tell the address of the peer.',
    arguments: [
      { name: 'connection', type: 'IncomingConnection', description: 'the socket, paused, and the addresses of both ends' },
      { name: 'event', type: 'ListeningEvent', description: 'the ApplicationEntity and the listener' },
    ],
    returns: 'the connection to go on with: the same, or one with another socket or other addresses. A handler that lets nobody in destroys the socket',
    onError: 'logged, the connection is cut',
    clause: 'PS3.8 9.1.1, PS3.15 annex B',
  },
  associationSettings: {
    ...TRANSFORM,
    fires: 'When no handler of `associationRequest` refused a request: what holds for this peer.',
    arguments: [
      { name: 'settings', type: 'AssociationSettings', description: 'what the association would go by: limits, time-outs, policies' },
      { name: 'info', type: 'AssociationRequestInfo', description: 'the association and the A-ASSOCIATE-RQ as received' },
    ],
    returns: 'the settings to go by; they hold for this association alone',
    onError: 'the association is rejected: transient, no reason given (2,1,1)',
    clause: 'PS3.8 9.3.2, PS3.7 D.3.3',
  },
  acceptedContexts: {
    ...TRANSFORM,
    fires: 'When the presentation contexts of an association request were negotiated, before the A-ASSOCIATE-AC is sent.',
    arguments: [
      { name: 'contexts', type: 'readonly AcceptedContext[]', description: 'the contexts that would be accepted' },
      { name: 'info', type: 'AssociationRequestInfo', description: 'the association and the A-ASSOCIATE-RQ as received' },
    ],
    returns: 'the contexts to accept: the same or fewer; what is left out is refused (user rejection)',
    onError: 'the association is rejected: transient, no reason given (2,1,1)',
    clause: 'PS3.8 7.1.1.13, 9.3.3.2',
  },
  listenerOptions: {
    ...TRANSFORM,
    fires: 'Before a listener opens its socket.',
    arguments: [{ name: 'options', type: 'ListenerOptions', description: 'the options of the listener' }, AE],
    returns: 'the options to listen with',
    onError: 'the listener does not open; listen() rejects with the error',
  },
  outgoingAssociation: {
    ...TRANSFORM,
    fires: 'Before this side connects to a peer, also for C-MOVE sub-operations.',
    arguments: [
      {
        name: 'options',
        type: 'OutgoingAssociationOptions',
        description: 'address, AE titles, contexts and every negotiation item that would be proposed',
      },
      {
        name: 'operation',
        type: 'Operation | undefined',
        description: 'the C-MOVE it is for; undefined when the application asked',
      },
    ],
    returns: 'the options to connect with',
    onError: 'no connection is made; associate() rejects with the error',
    clause: 'PS3.8 7.1',
  },
  findIdentifier: {
    ...TRANSFORM,
    fires: 'When a handler decodes the identifier of a C-FIND, C-GET or C-MOVE request, before it sees it.',
    arguments: [{ name: 'identifier', type: 'DataSet', description: 'the query' }, OPERATION],
    returns: 'the query to run',
    onError: 'the handler that asked for the query gets the error; unless it catches it, C311 (unable to process)',
    clause: 'PS3.4 C.4.1',
  },
  findMatch: {
    ...TRANSFORM,
    fires: 'For each match of a C-FIND, before it is sent as a Pending response.',
    arguments: [{ name: 'match', type: 'FindMatch', description: 'the identifier and its Pending status' }, OPERATION],
    returns: 'the match to send',
    onError: 'the operation ends: the status of a StatusError, else C311 (unable to process)',
    clause: 'PS3.4 C.4.1',
  },
  responseStatus: {
    ...TRANSFORM,
    tapable: 'SyncWaterfallHook',
    fires: 'Before the final response of an operation is sent. Handlers run synchronously.',
    arguments: [{ name: 'status', type: 'StatusDetails', description: 'the status with its details' }, OPERATION],
    returns: 'the status to send',
    onError: 'logged, hookFailed fires, the status goes on unchanged: a response is always sent',
    clause: 'PS3.7 annex C',
  },
}

/** Hooks in the life of an ApplicationEntity. */
export const LIFECYCLES: Readonly<Record<LifecycleHookName, HookCatalogEntry>> = {
  configResolved: {
    ...LIFECYCLE,
    fires: 'When all plugins are applied and the configuration is final.',
    arguments: [{ name: 'event', type: 'ConfigEvent', description: 'the ApplicationEntity and its configuration' }],
    onError: STOPS_START,
  },
  ready: {
    ...LIFECYCLE,
    fires: 'When the ApplicationEntity is ready, before its first listener opens.',
    arguments: [AE],
    onError: STOPS_START,
  },
  listening: {
    ...LIFECYCLE,
    fires: 'When a listener accepts connections.',
    arguments: [{ name: 'event', type: 'ListeningEvent', description: 'the ApplicationEntity and the listener' }],
    onError: STOPS_START,
  },
  warmUp: {
    ...LIFECYCLE,
    fires: 'When a server that listens has had nothing to do for a moment: before it rehearses what peers will ask of it, once for each of the two private ApplicationEntities that it does so with.',
    arguments: [{ name: 'event', type: 'WarmUpEvent', description: 'the ApplicationEntity, a private one to which plugins add what they rehearse, and a signal' }],
    onError: 'told at `debug`; the server is not warmed up',
  },
  configReload: {
    ...LIFECYCLE,
    fires: 'When a new configuration is to be taken over while the server runs.',
    arguments: [{ name: 'event', type: 'ConfigEvent', description: 'the ApplicationEntity and the new configuration' }],
    onError: 'the reload stops with the error; later handlers do not run, the server goes on',
  },
  diagnose: {
    ...LIFECYCLE,
    fires: 'When the operator asks whether all is well: `dicomtap check`, `ae.diagnose()`.',
    arguments: [{ name: 'event', type: 'DiagnoseEvent', description: 'the ApplicationEntity, and report(finding) to tell of something' }],
    onError: 'it becomes a finding; later handlers still run',
  },
  preClose: {
    ...LIFECYCLE,
    fires: 'When the close begins: new associations of peers are refused, running operations still run, and this side may still associate.',
    arguments: [AE],
    onError: 'logged, hookFailed fires, later handlers still run, the close goes on',
  },
}
