/**
 * Every error dicomtap raises, by code. Match on `error.code`, never on the message.
 * `docs/reference/errors.md` has one entry per code; a test keeps the two in step.
 */
export const ERROR_CODES = {
  // CFG: the config file and the options of an ApplicationEntity
  DICOMTAP_ERR_CFG_NOT_FOUND: 'No configuration file was found',
  DICOMTAP_ERR_CFG_UNREADABLE: 'A configuration file exists but cannot be read',
  DICOMTAP_ERR_CFG_SYNTAX: 'A configuration file cannot be parsed or evaluated',
  DICOMTAP_ERR_CFG_INVALID: 'A configuration value is not allowed',
  // PLG: the plugin container
  DICOMTAP_ERR_PLG_NOT_FOUND: 'A plugin package cannot be loaded',
  DICOMTAP_ERR_PLG_INVALID: 'A plugin does not have the shape of a plugin',
  DICOMTAP_ERR_PLG_VERSION: 'A plugin asks for another version of the framework or of a plugin',
  DICOMTAP_ERR_PLG_MISSING_DEPENDENCY: 'A plugin requires a plugin that is not loaded',
  DICOMTAP_ERR_PLG_DUPLICATE: 'Two plugins have the same name',
  DICOMTAP_ERR_PLG_CYCLE: 'Plugins require or order each other in a circle',
  DICOMTAP_ERR_PLG_OPTIONS: 'The options of a plugin are not valid',
  DICOMTAP_ERR_PLG_TIMEOUT: 'A plugin did not finish its start or its close in time',
  DICOMTAP_ERR_PLG_FAILED: 'A plugin threw while it was applied',
  DICOMTAP_ERR_PLG_SERVICE: 'A service was provided twice or injected before it was provided',
  DICOMTAP_ERR_PLG_COMMAND: 'A command that a plugin adds to the command line cannot be used',
  DICOMTAP_ERR_PLG_UNHANDLED: 'A promise of a plugin was rejected and nobody handled it',
  // HOOK: hooks and handlers
  DICOMTAP_ERR_HOOK_UNKNOWN: 'There is no hook of that name',
  DICOMTAP_ERR_HOOK_TAP: 'A hook was tapped with wrong arguments',
  DICOMTAP_ERR_HOOK_FAILED: 'A handler threw or rejected',
  DICOMTAP_ERR_HOOK_TIMEOUT: 'A handler did not answer in time',
  DICOMTAP_ERR_HOOK_ANSWER: 'A handler gave an answer that its hook does not allow',
  DICOMTAP_ERR_HOOK_AFTER_LISTEN: 'A hook was tapped after the server started',
  // NET: sockets
  DICOMTAP_ERR_NET_LISTEN: 'A listener could not be opened',
  DICOMTAP_ERR_NET_CONNECT: 'A connection could not be made',
  DICOMTAP_ERR_NET_CLOSED: 'The connection ended',
  DICOMTAP_ERR_NET_PROCESS: 'Another process of the server failed or does not answer',
  // TLS: secure transport
  DICOMTAP_ERR_TLS_UNAVAILABLE: 'A secure connection was asked for and no plugin provides one',
  DICOMTAP_ERR_TLS_CREDENTIALS: 'A certificate, a key or a revocation list cannot be used',
  DICOMTAP_ERR_TLS_PROFILE: 'This Node cannot do what a TLS profile requires',
  // PDU: the codec of PS3.8 9.3 and annex D of PS3.7
  DICOMTAP_ERR_PDU_UNRECOGNIZED: 'The PDU type is not one of PS3.8 9.3.1',
  DICOMTAP_ERR_PDU_TOO_LARGE: 'A PDU is longer than this side accepts',
  DICOMTAP_ERR_PDU_MALFORMED: 'A PDU or one of its items has a wrong structure',
  DICOMTAP_ERR_PDU_VALUE: 'A field of a PDU has a value that is not allowed',
  // DUL: the upper layer service of PS3.8
  DICOMTAP_ERR_DUL_STATE: 'The primitive cannot be issued in this state',
  DICOMTAP_ERR_DUL_TIMEOUT: 'No primitive arrived in time',
  DICOMTAP_ERR_DUL_KILLED: 'The upper layer provider was stopped',
  // ACSE: association control
  DICOMTAP_ERR_ACSE_REJECTED: 'The association was rejected',
  DICOMTAP_ERR_ACSE_ABORTED: 'The association was aborted',
  DICOMTAP_ERR_ACSE_RELEASED: 'The association was released',
  DICOMTAP_ERR_ACSE_TIMEOUT: 'The peer did not answer in time',
  DICOMTAP_ERR_ACSE_CONTEXT: 'No accepted presentation context fits',
  DICOMTAP_ERR_ACSE_STATE: 'The association is not established',
  DICOMTAP_ERR_ACSE_REQUEST: 'An association cannot be requested with these options',
  // DIMSE: messages and operations
  DICOMTAP_ERR_DIMSE_COMMAND: 'A command set is malformed',
  DICOMTAP_ERR_DIMSE_TRUNCATED: 'A message ended before it was complete',
  DICOMTAP_ERR_DIMSE_TIMEOUT: 'A handler, or the peer, did not answer in time',
  DICOMTAP_ERR_DIMSE_CANCELLED: 'The operation was cancelled',
  DICOMTAP_ERR_DIMSE_STATUS: 'A handler ended the operation with a status',
  DICOMTAP_ERR_DIMSE_RESPONSE: 'The peer sent a response that the standard does not allow',
  DICOMTAP_ERR_DIMSE_REQUEST: 'A request cannot be sent with these arguments',
  DICOMTAP_ERR_DIMSE_CONSUMED: 'A data set stream was read twice',
  // DS: data sets
  DICOMTAP_ERR_DS_MALFORMED: 'A data set cannot be decoded',
  DICOMTAP_ERR_DS_TOO_LARGE: 'A data set is larger than the limit for decoding',
  DICOMTAP_ERR_DS_ENCODE: 'A data set cannot be encoded in the transfer syntax',
  // STO: storage
  DICOMTAP_ERR_STO_DIRECTORY: 'The storage directory cannot be used',
  DICOMTAP_ERR_STO_FULL: 'There is no room for the object',
  DICOMTAP_ERR_STO_WRITE: 'An object could not be written',
  // QR: query and retrieve
  DICOMTAP_ERR_QR_DATABASE: 'The index of stored instances cannot be used',
} as const

/** One of the codes of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES & `DICOMTAP_ERR_${string}`
