// What docs/reference/limits.md says about each limit and time-out: what happens when it is reached.
// A test holds the keys against DEFAULT_LIMITS and DEFAULT_TIMEOUTS.

export const LIMIT_NOTES = {
  maximumAssociations: 'The request is rejected: transient, presentation service, local limit exceeded (2,3,2).',
  maximumPendingAssociations:
    'Connections that have sent no request yet count here. One more: the connection that has been silent longest, and for at least a second, is cut. When there is none, the new request is rejected: temporary congestion (2,3,1). Beyond 1024 more, connections are cut at once.',
  maximumPduBytes: 'A longer P-DATA-TF: A-ABORT, source 2, reason 6. Announced to the peer as its maximum length. 0 announces no limit; P-DATA is streamed either way and costs no memory.',
  maximumSentPduBytes: 'What is sent to the peer is cut into P-DATA-TF of this size, or of the size that the peer announced when that is smaller. For peers that announce more than they can take.',
  maximumAssociatePduBytes: 'A longer A-ASSOCIATE-RQ: A-ABORT (source 0, as no association exists yet). Checked before memory is given.',
  maximumCommandSetBytes: 'A longer command set: A-ABORT, source 2, reason 6.',
  receiveBufferBytes: 'The socket is paused until the handler has taken half of it. The peer waits; nothing is lost.',
  maximumQueuedOperations:
    'The socket is paused until one of the waiting requests has been served.',
  maximumPerformedOperations: 'Further requests wait for their turn; none is dropped.',
  maximumInvokedOperations: 'Further requests wait in this side until a response arrives.',
  maximumDecodedDataSetBytes: '`buffer()` and `dataset()` reject with [DICOMTAP_ERR_DS_TOO_LARGE](errors.md#dicomtap_err_ds_too_large). `pipeTo()` and `bytes()` have no limit.',
  closeDeadlineMs: '`close()` aborts the associations that still have operations running.',
}

export const TIMEOUT_NOTES = {
  acseMs:
    'No A-ASSOCIATE-RQ in that time: the connection is closed (ARTIM, PS3.8 9.1.5). Handlers that take longer to decide on a request, or operations that take longer to end after a release request: A-ABORT, source 2.',
  dimseMs: 'The peer stopped in the middle of a message, or did not answer a request of this side (each Pending response restarts the wait): A-ABORT.',
  networkMs: 'Nothing sent or received, and no operation running: A-ABORT, source 2, or a release when `networkTimeoutAction` says so; or a PDU that stopped half-way: A-ABORT, source 2. A peer that reads nothing of what is on the way to it for so long: the connection is cut.',
  connectionMs: 'The connection to a peer (TCP, and TLS where asked for) is not there in time: the attempt ends.',
  handlerMs: 'The operation is answered with 0110 (the handler took too long) and its `signal` is aborted. `null`: handlers may take as long as they like.',
}
