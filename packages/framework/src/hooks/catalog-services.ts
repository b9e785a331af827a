import type { HookCatalogEntry } from './catalog-entry.ts'
import type { ServiceHookName } from './types.ts'

type Fields = Pick<HookCatalogEntry, 'fires' | 'returns' | 'clause'> & Partial<Pick<HookCatalogEntry, 'pynetdicom'>>

const STATUS = 'a status, or { status, errorComment?, offendingElements? }'
const MATCHES = 'an async iterable of identifiers (its return value may be the final status), or a status'
const INSTANCES =
  '{ instances, total? } with an async iterable of instances to send: paths of files, file URLs, bytes of files, data sets, { path, sopClassUid, sopInstanceUid, transferSyntaxUid } or { sopClassUid, sopInstanceUid, transferSyntaxUid, bytes() }; or a status'
const N_ANSWER = 'a status, or { status, dataset? }'

/** Statuses of handlers that failed, as dimse/outcome.ts gives them. */
const ON_ERROR: Readonly<Record<string, string>> = {
  CStoreRequest: 'C000 for a data set that cannot be decoded, C211 (cannot understand) for the rest,',
  CFindRequest: 'C000 for a data set that cannot be decoded, C311 (unable to process) for the rest,',
  CGetRequest: 'C000 for a data set that cannot be decoded, C411 (unable to process) for the rest,',
  CMoveRequest: 'C000 for a data set that cannot be decoded, C511 (unable to process) for the rest,',
}

function service(request: string, noAnswer: string, fields: Fields): HookCatalogEntry {
  return {
    kind: 'intervention',
    tapable: 'AsyncSeriesBailHook',
    arguments: [
      { name: 'request', type: request, description: 'the request with its command set; a data set is a stream' },
      { name: 'operation', type: 'Operation', description: 'association, context, SOP class, cancel signal' },
    ],
    noAnswer,
    onError: `the status of a StatusError, else ${ON_ERROR[request] ?? '0110 (processing failure)'} with a neutral error comment; a wrong answer: ${request.startsWith('C') ? 'C002' : '0110'}`,
    since: '0.1.0',
    stability: 'stable',
    ...fields,
  }
}

const NOT_SUPPORTED = '0122 (SOP class not supported)'
const UNRECOGNIZED = '0211 (unrecognized operation)'

/** Hooks that answer the requests of a peer. */
export const SERVICE_INTERVENTIONS: Readonly<Record<ServiceHookName | 'moveDestination', HookCatalogEntry>> = {
  cEcho: service('CEchoRequest', '0000 (success)', {
    fires: 'When a C-ECHO request arrived.',
    returns: STATUS,
    clause: 'PS3.7 9.1.5',
    pynetdicom: 'EVT_C_ECHO',
  }),
  cStore: service('CStoreRequest', NOT_SUPPORTED, {
    fires: 'When the command of a C-STORE request is complete; the data set streams in while handlers run.',
    returns: STATUS,
    clause: 'PS3.7 9.1.1',
    pynetdicom: 'EVT_C_STORE',
  }),
  cFind: service('CFindRequest', NOT_SUPPORTED, {
    fires: 'When a C-FIND request arrived.',
    returns: MATCHES,
    clause: 'PS3.7 9.1.2',
    pynetdicom: 'EVT_C_FIND',
  }),
  cGet: service('CGetRequest', NOT_SUPPORTED, {
    fires:
      'When a C-GET request arrived. The core pulls the instances as the peer takes them, sends each on the context of its class and transfer syntax, counts and answers. An uncompressed one is converted where only other uncompressed transfer syntaxes were accepted, a compressed one never. For Composite Instance Retrieve Without Bulk Data it leaves out what PS3.4 Z.1.3 lists. What cannot be opened counts as failed. With an asynchronous operations window several are outstanding at once.',
    returns: INSTANCES,
    clause: 'PS3.7 9.1.3',
    pynetdicom: 'EVT_C_GET',
  }),
  cMove: service('CMoveRequest', NOT_SUPPORTED, {
    fires:
      'When a C-MOVE request arrived. It is asked before moveDestination, so that it can refuse by a status whatever the destination; look up what matches as the iterable is pulled, for nothing is pulled before the destination is known. The core associates with the destination, sends, counts and answers. It pulls up to 128 instances ahead to learn which contexts to propose, 8 of those that are in memory; the heads of files are read then, but not of those that come with their UIDs. bytes() is called when it is an instance’s turn, and once more when its association was lost.',
    returns: INSTANCES,
    clause: 'PS3.7 9.1.4',
    pynetdicom: 'EVT_C_MOVE',
  }),
  moveDestination: {
    ...service('CMoveRequest', 'A801 (move destination unknown)', {
      fires: 'When a handler of cMove gave instances, to learn the address of the Move Destination. Associations with it go through outgoingAssociation and outgoingConnection, with the C-MOVE as their operation.',
      returns: '{ host, port, calledAeTitle?, callingAeTitle?, tls?, timeouts?, limits?, localAddress?, localPort?, asynchronousOperations?, userIdentity? }; the titles default to the Move Destination and to the title that the C-MOVE was addressed to, the rest is as in AssociateOptions',
      clause: 'PS3.7 9.1.4, PS3.4 C.4.2',
      pynetdicom: 'EVT_C_MOVE',
    }),
    arguments: [
      { name: 'aeTitle', type: 'string', description: 'the Move Destination (0000,0600)' },
      { name: 'operation', type: 'Operation', description: 'the C-MOVE' },
    ],
  },
  nEventReport: service('NEventReportRequest', UNRECOGNIZED, {
    fires: 'When an N-EVENT-REPORT request arrived. It does not wait behind other operations.',
    returns: N_ANSWER,
    clause: 'PS3.7 10.1.1',
    pynetdicom: 'EVT_N_EVENT_REPORT',
  }),
  nGet: service('NGetRequest', UNRECOGNIZED, {
    fires: 'When an N-GET request arrived.',
    returns: N_ANSWER,
    clause: 'PS3.7 10.1.2',
    pynetdicom: 'EVT_N_GET',
  }),
  nSet: service('NSetRequest', UNRECOGNIZED, {
    fires: 'When an N-SET request arrived.',
    returns: N_ANSWER,
    clause: 'PS3.7 10.1.3',
    pynetdicom: 'EVT_N_SET',
  }),
  nAction: service('NActionRequest', UNRECOGNIZED, {
    fires: 'When an N-ACTION request arrived.',
    returns: N_ANSWER,
    clause: 'PS3.7 10.1.4',
    pynetdicom: 'EVT_N_ACTION',
  }),
  nCreate: service('NCreateRequest', UNRECOGNIZED, {
    fires: 'When an N-CREATE request arrived.',
    returns: 'a status, or { status, dataset?, affectedSopInstanceUid? }: name the instance when the request did not',
    clause: 'PS3.7 10.1.5',
    pynetdicom: 'EVT_N_CREATE',
  }),
  nDelete: service('NDeleteRequest', UNRECOGNIZED, {
    fires: 'When an N-DELETE request arrived.',
    returns: STATUS,
    clause: 'PS3.7 10.1.6',
    pynetdicom: 'EVT_N_DELETE',
  }),
}
