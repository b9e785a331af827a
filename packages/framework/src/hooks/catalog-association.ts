import type { HookCatalogEntry } from './catalog-entry.ts'
import type { AssociationHookName } from './types.ts'

const INFO = {
  name: 'info',
  type: 'AssociationRequestInfo',
  description: 'the association and the A-ASSOCIATE-RQ as received',
} as const

const BASE = {
  kind: 'intervention',
  tapable: 'AsyncSeriesBailHook',
  since: '0.1.0',
  stability: 'stable',
} as const

/** Hooks that decide on an association; in which order they are asked stands in docs/reference/lifecycle.md. */
export const ASSOCIATION_INTERVENTIONS: Readonly<Record<AssociationHookName, HookCatalogEntry>> = {
  associationRequest: {
    ...BASE,
    fires: 'When an A-ASSOCIATE-RQ passed the checks of its form and of the AE titles, before it is negotiated.',
    arguments: [INFO],
    returns: 'a rejection (result, source, reason, and why for the log), or undefined to go on',
    noAnswer: 'the negotiation goes on',
    onError: 'the association is rejected: transient, no reason given (2,1,1)',
    clause: 'PS3.8 7.1, 9.3.4',
  },
  userIdentity: {
    ...BASE,
    fires: 'When the request carries a User Identity item.',
    arguments: [
      { name: 'identity', type: 'UserIdentityRequest', description: 'the item: type 1 to 5 and the fields as sent' },
      INFO,
    ],
    returns: '{ verified, response?, rejection? }; the response is sent only when the peer asked for one',
    noAnswer: 'accepted without a response; with requireUserIdentity rejected (2,2,1)',
    onError: 'the association is rejected (2,2,1)',
    clause: 'PS3.7 D.3.3.7',
    pynetdicom: 'EVT_USER_ID',
  },
  authorization: {
    ...BASE,
    fires: 'When the user identity of a request was verified, or needed no verification: who asks is known now.',
    arguments: [INFO],
    returns: 'a rejection (result, source, reason, and why for the log), or undefined to go on',
    noAnswer: 'the negotiation goes on',
    onError: 'the association is rejected: transient, no reason given (2,1,1)',
    clause: 'PS3.8 9.3.4, PS3.7 D.3.3.7',
  },
  asyncOperations: {
    ...BASE,
    fires: 'When the request carries an Asynchronous Operations Window item.',
    arguments: [
      { name: 'proposed', type: 'AsynchronousOperationsWindow', description: 'the window that the peer proposes' },
      INFO,
    ],
    returns: '{ invoked, performed }, each no more than proposed; 0 means unlimited',
    noAnswer: 'no item in the reply: one operation at a time, each way (1,1)',
    onError: 'as no answer',
    clause: 'PS3.7 D.3.3.3',
    pynetdicom: 'EVT_ASYNC_OPS',
  },
  roleSelection: {
    ...BASE,
    fires: 'When the request carries SCP/SCU Role Selection items.',
    arguments: [
      { name: 'proposed', type: 'readonly RoleSelection[]', description: 'the roles that the peer proposes, per SOP class' },
      INFO,
    ],
    returns: 'the accepted roles of the SOP classes that the handler decides on; for the others the next handlers are asked',
    noAnswer: 'for a SOP class that nobody answers for: the roles of the supported context; without them the default roles: requestor SCU, acceptor SCP',
    onError: 'as no answer',
    clause: 'PS3.7 D.3.3.4',
  },
  sopClassExtended: {
    ...BASE,
    fires: 'When the request carries SOP Class Extended Negotiation items.',
    arguments: [
      { name: 'proposed', type: 'readonly SopClassExtended[]', description: 'application information per SOP class' },
      INFO,
    ],
    returns: 'the items to reply with, of the SOP classes that the handler serves; for the others the next handlers are asked',
    noAnswer: 'no item in the reply',
    onError: 'as no answer',
    clause: 'PS3.7 D.3.3.5',
    pynetdicom: 'EVT_SOP_EXTENDED',
  },
  sopClassCommonExtended: {
    ...BASE,
    fires: 'When the request carries SOP Class Common Extended Negotiation items.',
    arguments: [
      {
        name: 'proposed',
        type: 'readonly SopClassCommonExtended[]',
        description: 'service class and related general SOP classes per SOP class',
      },
      INFO,
    ],
    returns: 'the accepted items; for the others the next handlers are asked. There is no item for the reply',
    noAnswer: 'none is accepted',
    onError: 'as no answer',
    clause: 'PS3.7 D.3.3.6',
    pynetdicom: 'EVT_SOP_COMMON',
  },
  outgoingConnection: {
    ...BASE,
    fires: 'When this side is about to connect to a peer, after `outgoingAssociation`: for TLS, proxies and tunnels.',
    arguments: [
      { name: 'options', type: 'OutgoingAssociationOptions', description: 'the association that is about to be requested' },
      { name: 'operation', type: 'Operation | undefined', description: 'the C-MOVE it is for; undefined when the application asked' },
    ],
    returns: 'a socket that is connecting or connected: net.Socket, tls.TLSSocket; or a Duplex that will emit connect',
    noAnswer: 'a plain TCP connection; with `tls` asked for, associate() rejects with DICOMTAP_ERR_TLS_UNAVAILABLE',
    onError: 'no connection is made; associate() rejects with the error',
    clause: 'PS3.8 9.1.1',
  },
  associationAnswer: {
    ...BASE,
    fires: 'When the peer accepted an association that this side requested, before it is established.',
    arguments: [
      { name: 'info', type: 'AssociationAnswerInfo', description: 'the association, its A-ASSOCIATE-RQ and the A-ASSOCIATE-AC as received' },
    ],
    returns: 'why the answer is not good enough, e.g. a server token that does not verify; the association is then aborted',
    noAnswer: 'the association is established',
    onError: 'the association is aborted; associate() rejects with DICOMTAP_ERR_ACSE_ABORTED',
    clause: 'PS3.8 7.1.2',
  },
}
