import type { HookCatalogEntry } from './catalog-entry.ts'
import type { NotificationHookName } from './types.ts'

type Fields = Pick<HookCatalogEntry, 'fires'> & Partial<Pick<HookCatalogEntry, 'clause' | 'pynetdicom'>>

function notification(type: string, description: string, fields: Fields): HookCatalogEntry {
  return {
    kind: 'notification',
    tapable: 'SyncHook',
    arguments: [{ name: 'event', type, description }],
    returns: 'nothing',
    noAnswer: 'nothing happens; an unused hook costs nothing',
    onError: 'logged with the plugin and the hook, hookFailed fires, later handlers still run, the association lives on',
    since: '0.1.0',
    stability: 'stable',
    ...fields,
  }
}

/** Hooks that tell. They cannot delay or change what happens. */
export const NOTIFICATIONS: Readonly<Record<NotificationHookName, HookCatalogEntry>> = {
  connectionOpened: notification('ConnectionEvent', 'the association, the address and the port of the peer', {
    fires: 'When the TCP (and TLS) connection stands, in either role.',
    clause: 'PS3.8 9.1',
    pynetdicom: 'EVT_CONN_OPEN',
  }),
  connectionClosed: notification('ConnectionEvent', 'the association, the address and the port of the peer', {
    fires: 'When the transport connection of an association is closed, by whomever.',
    clause: 'PS3.8 9.1',
    pynetdicom: 'EVT_CONN_CLOSE',
  }),
  dataReceived: notification('DataEvent', 'the association and the bytes, valid only during the call', {
    fires: 'When the socket gave bytes, in the pieces in which it gave them and before they are decoded.',
    pynetdicom: 'EVT_DATA_RECV',
  }),
  dataSent: notification('DataEvent', 'the association and the bytes, valid only during the call', {
    fires: 'When bytes were handed to the socket.',
    pynetdicom: 'EVT_DATA_SENT',
  }),
  pduReceived: notification('PduEvent', 'the association and the decoded PDU; for P-DATA-TF a summary without the bytes', {
    fires: 'When a PDU was decoded.',
    clause: 'PS3.8 9.3',
    pynetdicom: 'EVT_PDU_RECV',
  }),
  pduSent: notification('PduEvent', 'the association and the PDU; for P-DATA-TF a summary without the bytes', {
    fires: 'When a PDU was encoded and handed to the socket.',
    clause: 'PS3.8 9.3',
    pynetdicom: 'EVT_PDU_SENT',
  }),
  acseReceived: notification('AcseEvent', 'the association and the primitive', {
    fires: 'When the upper layer hands over an association primitive: A-ASSOCIATE, A-RELEASE, A-ABORT or A-P-ABORT.',
    clause: 'PS3.8 7',
    pynetdicom: 'EVT_ACSE_RECV',
  }),
  acseSent: notification('AcseEvent', 'the association and the primitive', {
    fires: 'When an association primitive is handed to the upper layer.',
    clause: 'PS3.8 7',
    pynetdicom: 'EVT_ACSE_SENT',
  }),
  dimseReceived: notification('DimseEvent', 'the association, the presentation context ID and the command set', {
    fires: 'When the command set of a message is complete; its data set may still be on the way.',
    clause: 'PS3.7 6.3',
    pynetdicom: 'EVT_DIMSE_RECV',
  }),
  dimseSent: notification('DimseEvent', 'the association, the presentation context ID and the command set', {
    fires: 'When a message is encoded, just before its first fragment is sent.',
    clause: 'PS3.7 6.3',
    pynetdicom: 'EVT_DIMSE_SENT',
  }),
  stateChanged: notification('StateChangedEvent', 'the association, both states, the event and the action that lay between', {
    fires: 'When the state machine of the upper layer made a transition.',
    clause: 'PS3.8 9.2',
    pynetdicom: 'EVT_FSM_TRANSITION',
  }),
  associationRequested: notification('AssociationEvent', 'the association', {
    fires: 'Acceptor: when an A-ASSOCIATE-RQ arrived, before it is judged. Requestor: when one was sent.',
    clause: 'PS3.8 7.1',
    pynetdicom: 'EVT_REQUESTED',
  }),
  associationAccepted: notification('AssociationEvent', 'the association, with its accepted contexts', {
    fires: 'When an A-ASSOCIATE-AC was sent or received.',
    clause: 'PS3.8 7.1',
    pynetdicom: 'EVT_ACCEPTED',
  }),
  associationEstablished: notification('AssociationEvent', 'the association, ready for messages', {
    fires: 'Right after associationAccepted, when messages may be exchanged.',
    clause: 'PS3.8 7.1',
    pynetdicom: 'EVT_ESTABLISHED',
  }),
  associationRejected: notification('AssociationRejectedEvent', 'the association with result, source and reason', {
    fires: 'When an A-ASSOCIATE-RJ was sent or received.',
    clause: 'PS3.8 9.3.4',
    pynetdicom: 'EVT_REJECTED',
  }),
  associationReleased: notification('AssociationEvent', 'the association', {
    fires: 'When the release is complete, whichever side asked for it.',
    clause: 'PS3.8 7.2',
    pynetdicom: 'EVT_RELEASED',
  }),
  associationAborted: notification('AssociationAbortedEvent', 'the association with source, reason and who ended it', {
    fires: 'When an abort was sent or received, or the connection was lost before a release.',
    clause: 'PS3.8 7.3, 7.4',
    pynetdicom: 'EVT_ABORTED',
  }),
  operationStarted: notification('OperationEvent', 'the operation', {
    fires: 'When a request of the peer starts to be served: after waiting its turn, before its hook is asked.',
  }),
  operationCancelled: notification('OperationEvent', 'the operation', {
    fires: 'When a C-CANCEL for a running or waiting operation arrived.',
    clause: 'PS3.7 9.3.2.3, 9.3.3.3, 9.3.4.3',
  }),
  operationCompleted: notification(
    'OperationCompletedEvent',
    'the operation with its status, error comment, duration, data set bytes received and responses sent',
    { fires: 'When the final response was sent, or the association ended before it.' },
  ),
  subOperationCompleted: notification('SubOperationEvent', 'the operation, the SOP instance and the status of its C-STORE', {
    fires: 'When one C-STORE sub-operation of a C-GET or C-MOVE got its answer.',
    clause: 'PS3.4 C.4.2, C.4.3',
  }),
  hookFailed: {
    ...notification('HookFailedEvent', 'the hook, the plugin and the error, whose cause is what was thrown', {
      fires: 'When a handler of another hook threw, rejected, or gave an answer that cannot be used.',
    }),
    onError: 'logged; hookFailed does not fire again for it',
  },
}
