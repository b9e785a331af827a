// What docs/reference/limits.md says about each limit and time-out: what happens when it is reached.
// A test holds the keys against DEFAULT_LIMITS and DEFAULT_TIMEOUTS.

export const LIMIT_NOTES = {
  maximumAssociations: 'The request is rejected: transient, presentation service, local limit exceeded (2,3,2). With `--workers` it is the limit of all processes together.',
  maximumPendingAssociations:
    'Connections that have sent no whole request yet count here. One more: those that have sent none for longest, and for at least a second, are cut until it fits. With 1024 more the oldest is cut however young it is. Who asks for an association is heard, however many do not. With `--workers` each process has an equal share.',
  maximumPduBytes: 'A longer P-DATA-TF: A-ABORT, source 2, reason 6. Announced to the peer as its maximum length. 0 announces no limit; P-DATA is streamed either way and costs no memory.',
  maximumSentPduBytes: 'What is sent to the peer is cut into P-DATA-TF of this size, or of the size that the peer announced when that is smaller. For peers that announce more than they can take.',
  maximumAssociatePduBytes: 'A longer A-ASSOCIATE-RQ: A-ABORT (source 0, as no association exists yet). Checked before memory is given.',
  maximumAssociateItems: 'More of them: A-ABORT (source 0, as no association exists yet). Items that are skipped count, and the related classes of a common extended negotiation.',
  maximumPresentationContexts: 'More of them: A-ABORT (source 0). There are no more than 128 IDs (PS3.8 9.3.2.2).',
  maximumUserItems: 'More of them: A-ABORT (source 0).',
  maximumCommandSetBytes: 'A longer command set: A-ABORT, source 2, reason 6. Those of requests that wait count three times in `receiveBufferBytes`.',
  maximumEmptyFragments: 'One more: A-ABORT, source 2, reason 6. Who sends nothing without end makes work and no progress.',
  minimumProgressBytes:
    'A message of which less arrived in `timeouts.dimseMs`, and that did not end: A-ABORT. A peer that read less of what waits for it in `timeouts.networkMs`: the connection is cut. With the defaults 34 and 17 bytes per second, which the slowest link has.',
  receiveBufferBytes: 'Requests that wait count too, each with 1 KiB and three times its command set. The socket is paused until the handler has taken half of it. The peer waits; nothing is lost.',
  maximumQueuedOperations:
    'The socket is paused until one of the waiting requests has been served.',
  maximumPerformedOperations: 'Further requests wait for their turn; none is dropped.',
  maximumInvokedOperations: 'Further requests wait in this side until a response arrives.',
  maximumUnreadResponseBytes: 'The association is aborted, and the caller gets [DICOMTAP_ERR_DS_TOO_LARGE](errors.md#dicomtap_err_ds_too_large). Before that the socket is paused wherever the peer need not be heard.',
  maximumDecodedDataSetBytes: '`buffer()` and `dataset()` reject with [DICOMTAP_ERR_DS_TOO_LARGE](errors.md#dicomtap_err_ds_too_large). `pipeTo()` and `bytes()` have no limit.',
  maximumIdentifierBytes: '`identifier.buffer()` and `identifier.dataset()` reject with [DICOMTAP_ERR_DS_TOO_LARGE](errors.md#dicomtap_err_ds_too_large); the request is answered with C000 when the handler does not catch it. A UID list of 15 000 instances fits.',
  maximumGatheredBytes: 'The request that would need more gets [DICOMTAP_ERR_DS_TOO_LARGE](errors.md#dicomtap_err_ds_too_large); others go on. What a request took counts until it is answered.',
  maximumDecodedElements: '`dataset()` rejects with [DICOMTAP_ERR_DS_TOO_LARGE](errors.md#dicomtap_err_ds_too_large).',
  maximumDecodedValues: 'The same. Each switch between character sets in a text counts as a value.',
  maximumDecodedTextBytes: 'The same.',
  maximumNestingDepth: 'The same. Nothing is recursive: deeper nesting costs no stack either.',
  closeDeadlineMs: '`close()` aborts the associations that still have operations running.',
}

export const TIMEOUT_NOTES = {
  acseMs:
    'No A-ASSOCIATE-RQ in that time: the connection is closed (ARTIM, PS3.8 9.1.5). Handlers that take longer to decide on a request, or operations that take longer to end after a release request: A-ABORT, source 2.',
  dimseMs: 'The peer stopped in the middle of a message, or sent less than `limits.minimumProgressBytes` of it in that time, or did not answer a request of this side (each Pending response restarts the wait): A-ABORT.',
  networkMs: 'Nothing sent or received, and no operation running: A-ABORT, source 2, or a release when `networkTimeoutAction` says so; or a PDU that stopped half-way: A-ABORT, source 2. A peer that reads less than `limits.minimumProgressBytes` of what is on the way to it in so long: the connection is cut, whatever it sends meanwhile.',
  connectionMs: 'The connection to a peer (TCP, and TLS where asked for) is not there in time: the attempt ends.',
  associationMs:
    'Of associations that peers requested. Running operations end, then the association is released; when that takes longer than `timeouts.acseMs`, A-ABORT, source 0. `null`, because equipment keeps an association for a working day; one that is idle ends after `networkMs`.',
  handlerMs: 'The operation is answered with 0110 (the handler took too long) and its `signal` is aborted; the log names the plugin. Counted from the last sign of progress: a byte of the data set that arrived, a match or an instance that was given. A source of bytes to send that gives nothing for so long fails. `null`: handlers may take as long as they like, and hold what they hold.',
  lifecycleMs: 'The start, the listener or the reload fails with [DICOMTAP_ERR_HOOK_TIMEOUT](errors.md#dicomtap_err_hook_timeout), which names the plugin. Does not hold for `preClose`, which has `limits.closeDeadlineMs`.',
}
