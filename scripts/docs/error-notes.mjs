// What docs/reference/errors.md says about each code besides its one-line meaning: where it comes from and
// what to do. A test holds the keys against ERROR_CODES, and `isReserved` against the sources.

/** @type {Readonly<Record<string, { cause: string, remedy: string, isReserved?: true }>>} */
export const ERROR_NOTES = {
  DICOMTAP_ERR_CFG_NOT_FOUND: {
    cause: 'The working folder has none of the config file names, or the file given with `--config` does not exist. Parent folders are not searched.',
    remedy: 'Go to the folder with the file, name the file with `--config`, or make a project with `npm create dicomtap@latest`.',
  },
  DICOMTAP_ERR_CFG_UNREADABLE: {
    cause: 'The file is there, but the user that runs dicomtap may not read it, or it is a folder or a dangling link. dicomtap never goes on as if there were no config.',
    remedy: 'Give that user the right to read it. The message names the file and the reason.',
  },
  DICOMTAP_ERR_CFG_SYNTAX: {
    cause: 'The YAML, JSON, JavaScript or TypeScript of the file cannot be parsed, or the code in it threw.',
    remedy: 'Look at the line and column in the message. YAML wants spaces, not tabs, and quotes around names that start with `@`.',
  },
  DICOMTAP_ERR_CFG_INVALID: {
    cause: 'An option does not exist or has a value that is not allowed; there is more than one config file; or a script config has no default export. Also thrown by `new ApplicationEntity()`, `listen()` and `addSupportedContext()`.',
    remedy: 'Each line of the message is one problem with its path, e.g. `listen[0].port`. The allowed values are in [config.md](config.md).',
  },
  DICOMTAP_ERR_PLG_NOT_FOUND: {
    cause: 'A package named in `plugins` is not installed where the config file lies, a file with that path does not exist, or loading it threw.',
    remedy: 'Run the `npm install` that the message names. A file needs `./` in front.',
  },
  DICOMTAP_ERR_PLG_INVALID: {
    cause: 'The package exports no plugin, or several and none with its own name; an entry of `plugins` is a factory that was not called; or a definition lacks a valid `name` or `apply`.',
    remedy: 'Make plugins with `definePlugin` and export them by name. In code, call the factory: `storage({ ... })`, not `storage`.',
  },
  DICOMTAP_ERR_PLG_VERSION: {
    cause: 'A plugin\'s `framework` or `requires` range does not include the version that is installed.',
    remedy: 'Install versions that fit; the message names both.',
  },
  DICOMTAP_ERR_PLG_MISSING_DEPENDENCY: {
    cause: 'A plugin lists another one in `requires`, and that one is not in `plugins`.',
    remedy: 'Add the plugin that the message names. The order in `plugins` does not matter for this.',
  },
  DICOMTAP_ERR_PLG_DUPLICATE: {
    cause: 'The same plugin stands in `plugins` twice, often once by itself and once in a preset.',
    remedy: 'Keep one entry.',
  },
  DICOMTAP_ERR_PLG_CYCLE: {
    cause: '`requires`, `before` and `after` of the loaded plugins contradict each other.',
    remedy: 'The message shows the circle and why each step is in it. Report it to the author of one of these plugins.',
  },
  DICOMTAP_ERR_PLG_OPTIONS: {
    cause: 'The options of a plugin do not pass its schema; a plugin that takes no options got some; or a secret is absent, unreadable or empty.',
    remedy: 'Each line of the message is one problem with its path, e.g. `plugins[storage].options.directory`.',
  },
  DICOMTAP_ERR_PLG_TIMEOUT: {
    cause: 'The `apply` of a plugin did not end within 10 seconds, or what it registered with `onDispose` not within `limits.closeDeadlineMs`.',
    remedy: 'See what it waits for: a database or a server that cannot be reached, most often. In a plugin, connect in `ready`, which has more time, or in the background.',
  },
  DICOMTAP_ERR_PLG_FAILED: {
    cause: 'The `apply` of a plugin threw, or what it registered with `onDispose` did. What was thrown is the `cause`.',
    remedy: 'The message ends in the reason. A failed disposer is logged, and the close goes on.',
  },
  DICOMTAP_ERR_PLG_SERVICE: {
    cause: 'Two plugins provide a service of the same name, or one injects a service that no plugin before it provides.',
    remedy: 'Load the plugin that provides it. In a plugin, list that one in `requires` or `after`, so that it starts first.',
  },
  DICOMTAP_ERR_PLG_COMMAND: {
    cause: 'A plugin package names a command under `dicomtap.commands` of its package.json that dicomtap or another plugin has already, or whose module is missing, fails to load or exports no such `command`.',
    remedy: 'Remove one of two plugins with the same command. Otherwise reinstall the plugin, or ask whoever wrote it.',
  },
  DICOMTAP_ERR_PLG_UNHANDLED: {
    cause: 'Logged by `dicomtap start`, never thrown: a promise of a plugin was rejected and nobody waited for it (the server goes on), or an exception was not caught anywhere (the server closes, exit code 1).',
    remedy: 'The log line carries the error and, in `from`, the package that its stack names first. It is a bug of that plugin.',
  },
  DICOMTAP_ERR_HOOK_UNKNOWN: {
    cause: '`bind`, `unbind` or `handlers` was called with a name that is no hook.',
    remedy: 'The message proposes near names, and translates the event names of pynetdicom. All names: [hooks.md](hooks.md).',
  },
  DICOMTAP_ERR_HOOK_TAP: {
    cause: 'A plugin tapped a hook with something else than `(handler)` or `(options, handler)`, with an unknown option, or with `tapPromise` on a hook that does not wait.',
    remedy: 'Mend the call in the plugin; the message names hook and plugin.',
  },
  DICOMTAP_ERR_HOOK_FAILED: {
    cause: 'A handler threw or rejected. `hook` and `plugin` of the error say whose it was, `cause` is what was thrown. Logged, except where it reaches you as a rejection of `ready()`, `listen()` or `reload()`.',
    remedy: 'Look at the cause. To answer a request with a status on purpose, throw a `StatusError`. What the peer gets is in [hooks.md](hooks.md) under "Error".',
  },
  DICOMTAP_ERR_HOOK_TIMEOUT: {
    cause: 'A handler did not answer in time: `hook` and `plugin` of the error say whose it is. Service hooks have `timeouts.handlerMs`, lifecycle hooks `timeouts.lifecycleMs`, hooks of associations `timeouts.acseMs`.',
    remedy: 'Look for what the handler waits for, and give that a time-out of its own; pass `operation.signal` on. What takes its time for good reason gets a longer time-out.',
  },
  DICOMTAP_ERR_HOOK_ANSWER: {
    cause: 'A handler gave an answer that its hook does not allow, or that cannot be sent. `hook` and `plugin` of the error say whose it was. Logged. What holds instead stands in [hooks.md](hooks.md) under "Error"; a wrong answer to a request of a peer becomes status C002, or 0110 for the N services.',
    remedy: 'Mend the handler; the message says what the hook takes.',
  },
  DICOMTAP_ERR_HOOK_AFTER_LISTEN: {
    cause: 'A plugin tapped a hook, or `use()` was called, after the first `listen()`.',
    remedy: 'Tap in `apply`. For handlers that come and go at run time there is `bind`.',
  },
  DICOMTAP_ERR_NET_LISTEN: {
    cause: 'The port is taken, needs a privilege (below 1024), or `host` is no address of this machine; or the application entity is closed.',
    remedy: 'The message says which. `dicomtap check --ports` tries the ports without starting the server.',
  },
  DICOMTAP_ERR_NET_CONNECT: {
    cause: '`associate` could not open the connection: nobody listens there, the host name is unknown, or `timeouts.connectionMs` passed. The system\'s error is the `cause`.',
    remedy: 'Check host and port, and whether a firewall lets the connection through.',
  },
  DICOMTAP_ERR_NET_CLOSED: {
    cause: 'The reason of `operation.signal` and of an incomplete data set when the connection ended and nothing else had ended the association before.',
    remedy: 'Nothing on this side; see why the peer or the network cut the connection.',
  },
  DICOMTAP_ERR_NET_PROCESS: {
    cause: 'With `--workers`: the process that leads the others did not answer a worker in time, a worker ended before it was ready, or workers failed to start again and again. An association that waits for a count is refused: temporary congestion.',
    remedy: 'See the lines before it in the log for why a worker ended. When there was no answer, the machine was too busy, or the process was stopped.',
  },
  DICOMTAP_ERR_TLS_UNAVAILABLE: {
    cause: '`tls` was asked for and no handler of `outgoingConnection` opened a connection. dicomtap does not fall back to plain TCP.',
    remedy: 'Add the plugin that provides TLS.',
  },
  DICOMTAP_ERR_TLS_CREDENTIALS: {
    cause: 'A file that TLS needs is absent, unreadable, damaged or no PEM; a key does not belong to its certificate or is encrypted without its passphrase; a CA file holds no certificate.',
    remedy: 'The message names option and file. Files that change while the server runs are only taken when they can be used; the ones before stay.',
  },
  DICOMTAP_ERR_TLS_PROFILE: {
    cause: 'A retired profile of PS3.15 asks for ciphers that the OpenSSL of this Node was built without, such as Triple DES.',
    remedy: 'Use `bcp195-rfc9325`. For equipment that knows nothing newer, put a TLS gateway beside it.',
  },
  DICOMTAP_ERR_PDU_UNRECOGNIZED: {
    cause: 'The first byte of a PDU is not 01 to 07: another protocol (HTTP, TLS, SSH) talks to the port, or the peer lost its place in the stream.',
    remedy: 'See who connects: the log line has the address. What the peer gets is in [hostile-input.md](hostile-input.md).',
  },
  DICOMTAP_ERR_PDU_TOO_LARGE: {
    cause: 'A P-DATA-TF is longer than `limits.maximumPduBytes`, which the peer was told; an A-ASSOCIATE PDU is longer than `limits.maximumAssociatePduBytes`; or it has more contexts, items or user items than `limits` allow.',
    remedy: 'A peer that ignores the announced length is at fault. To live with it, raise the limit or set it to 0: data is streamed either way.',
  },
  DICOMTAP_ERR_PDU_MALFORMED: {
    cause: 'A length does not fit, a mandatory item is missing, or an item that may occur once occurs again.',
    remedy: 'The message names PDU and item. It is the peer\'s fault, or a middlebox changed the stream.',
  },
  DICOMTAP_ERR_PDU_VALUE: {
    cause: 'A field has a value that PS3.8 does not allow: an even context ID, a PDV on a context that was not accepted, fragments out of order, a command set that cannot be read. With `encodePdu`: a value of yours that does not fit its field.',
    remedy: 'The message names the field.',
  },
  DICOMTAP_ERR_DUL_STATE: {
    cause: 'A primitive was issued in a state that has no cell for it in table 9-10 of PS3.8, e.g. P-DATA after a release.',
    remedy: 'Only for users of `DulServiceProvider`: look at `state` first.',
  },
  DICOMTAP_ERR_DUL_TIMEOUT: {
    cause: '`DulServiceProvider.receive(timeoutMs)` got nothing in that time.',
    remedy: 'Wait longer, or `kill()` the provider.',
  },
  DICOMTAP_ERR_DUL_KILLED: {
    cause: '`receive` was waiting, or was called, when the provider had been killed.',
    remedy: 'Nothing: that is what `kill()` is for.',
  },
  DICOMTAP_ERR_ACSE_REJECTED: {
    cause: 'The peer rejected the association that `associate` requested. The error has `result`, `source` and `reason`. A rejection that this side sends is no error: see the hook `associationRejected`.',
    remedy: 'The message says why, in the words of the standard. Most often one of the AE titles is not the one the peer knows.',
  },
  DICOMTAP_ERR_ACSE_ABORTED: {
    cause: 'The association was aborted, by either side, or the connection was lost: `associate` and requests under way reject with it, and it is the reason of `operation.signal`.',
    remedy: 'Stop the work: nobody waits for the answer. Why it was aborted is in the message, in the log and in `associationAborted`.',
  },
  DICOMTAP_ERR_ACSE_RELEASED: {
    cause: 'The reason of `operation.signal` when the peer released the association while its C-FIND, C-GET or C-MOVE was running.',
    remedy: 'Stop the work: the peer does not want the rest.',
  },
  DICOMTAP_ERR_ACSE_TIMEOUT: {
    cause: 'The peer took the connection and did not answer the A-ASSOCIATE-RQ within `timeouts.acseMs`; the association was aborted.',
    remedy: 'Check that a DICOM server listens on that port, and that TLS is used on both sides or on none.',
  },
  DICOMTAP_ERR_ACSE_CONTEXT: {
    cause: 'The peer accepted none of the proposed presentation contexts (the association is then aborted), or none that fits a request: SOP class, role or transfer syntax.',
    remedy: 'Propose the SOP class with the transfer syntaxes that the peer supports. `association.acceptedContexts` and `rejectedContexts` say what it accepted and why not.',
  },
  DICOMTAP_ERR_ACSE_STATE: {
    cause: 'A request was to be sent on an association that is not established, or not any more.',
    remedy: 'Look at `association.state`. After a release or an abort, associate again.',
  },
  DICOMTAP_ERR_ACSE_REQUEST: {
    cause: '`associate` got options that no A-ASSOCIATE-RQ can be made of: no context or more than 128, an AE title that is none, a user identity without its field, contradicting roles.',
    remedy: 'The message names the option and what it must be.',
  },
  DICOMTAP_ERR_DIMSE_COMMAND: {
    cause: '`decodeCommandSet` got bytes that are no command set, or `encodeCommandSet` a value that does not fit. A peer that sends such bytes is aborted.',
    remedy: 'The message names the element.',
  },
  DICOMTAP_ERR_DIMSE_TRUNCATED: {
    cause: 'The association ended in the middle of a data set: `bytes()`, `buffer()`, `dataset()` and `pipeTo()` reject with it. Also: the source of a C-STORE failed after part of it was sent (`error.cause`); the association is aborted, because half a message cannot be taken back.',
    remedy: 'Receiving: drop what came; there is nobody left to answer. Sending: look at the source, associate again.',
  },
  DICOMTAP_ERR_DIMSE_TIMEOUT: {
    cause: 'The peer did not answer a request within `timeouts.dimseMs`; the association is aborted. Also the reason of `operation.signal` when a handler took longer than `timeouts.handlerMs`; the peer gets 0110.',
    remedy: 'Raise the limit where the work takes long. Make handlers faster; they should stop working when the signal is aborted.',
  },
  DICOMTAP_ERR_DIMSE_CANCELLED: {
    cause: 'In a handler: the reason of `operation.signal` when a C-CANCEL arrived. Of a request: its `signal` was aborted before anything of it was sent.',
    remedy: 'In a handler: stop the work; the core answers FE00. Of a request: nothing, it was meant.',
  },
  DICOMTAP_ERR_DIMSE_STATUS: {
    cause: 'The code of every `StatusError`: a handler ends its operation with a status. It goes to the peer and is not logged as a failure.',
    remedy: 'Nothing: it is meant.',
  },
  DICOMTAP_ERR_DIMSE_RESPONSE: {
    cause: 'The peer answered a request with something that is no answer to it: another service or presentation context, no status, a data set where none may be or one that cannot be decoded (`error.cause`). The association is aborted.',
    remedy: 'Report it to the maker of the peer; the message says what was wrong.',
  },
  DICOMTAP_ERR_DIMSE_REQUEST: {
    cause: 'A request lacks something or has a value that no command set can carry: no SOP Instance UID, an unknown keyword, a file that is no DICOM file.',
    remedy: 'The message names the argument and what it must be.',
  },
  DICOMTAP_ERR_DIMSE_CONSUMED: {
    cause: 'The data set of a request was read a second time, by the same handler or by another one.',
    remedy: 'Read it once, in the handler that answers, and pass on what you got. `buffer()` and `dataset()` may be called again.',
  },
  DICOMTAP_ERR_DS_MALFORMED: {
    cause: 'A data set cannot be decoded: lengths that do not fit, nesting without end, an unknown transfer syntax. Unless a handler catches it, the peer gets C000.',
    remedy: 'Ask whoever sends it. Storage does not decode objects as a whole, so that it can keep what others cannot read.',
  },
  DICOMTAP_ERR_DS_TOO_LARGE: {
    cause: '`buffer()` or `dataset()` was asked for more than `limits.maximumDecodedDataSetBytes`, of the identifier of a query `limits.maximumIdentifierBytes`, or what all requests hold would be more than `limits.maximumGatheredBytes`; or the data set has more elements, values, text or nesting than `limits` allow: the message says which. Or the unread responses to requests of this side have `limits.maximumUnreadResponseBytes`, because another request or a release had to wait for the peer; then the association is aborted.',
    remedy: 'Stream large data sets with `pipeTo` or `bytes`, and read responses as they come; or raise the limit.',
  },
  DICOMTAP_ERR_DS_ENCODE: {
    cause: 'A data set that a handler gave cannot be written in the transfer syntax of the context: a value that does not fit its VR, an unknown keyword.',
    remedy: 'The message names the attribute. The peer gets a failure status.',
  },
  DICOMTAP_ERR_STO_DIRECTORY: {
    cause: 'plugin-storage cannot create its folder, write to it, or keep its working files in it. Or `dicomtap verify` got a folder that is not there, or of which nothing is recorded.',
    remedy: 'Give the user that runs dicomtap the right to write there. At start this stops the server, with exit code 78; in code, `listen()` rejects with [DICOMTAP_ERR_HOOK_FAILED](#dicomtap_err_hook_failed), whose `cause` it is. Later, objects are refused with A700.',
  },
  DICOMTAP_ERR_STO_FULL: {
    cause: 'The disk is full, or a quota of the file system is reached. The peer gets A700.',
    remedy: 'Make room. Objects are accepted again without a restart.',
  },
  DICOMTAP_ERR_STO_WRITE: {
    cause: 'The operating system refused to write an object. The peer gets A700 when a retry may help (no more file handles, no memory), else 0110.',
    remedy: 'The log line names the system call and the error.',
  },
  DICOMTAP_ERR_QR_DATABASE: {
    cause: 'plugin-query-retrieve cannot use its index. At start: the folder or file of SQLite cannot be written, is damaged or no database; PostgreSQL refuses user, password or database; or the tables are those of a newer dicomtap. Later: the database is locked, full, read-only or does not answer. Then objects are not acknowledged and queries fail; queries also fail while rows are due that cannot be added at present, see [what is in the index](query-retrieve.md#what-is-in-the-index). One log line says that it is away, one that it is back.',
    remedy: 'The message names the database and what to do. At start this stops the server, with exit code 78; while the database only does not answer, or is locked or full, the server starts and goes on trying. Nothing has to be restarted when it is back. A damaged index can be made anew with `dicomtap index rebuild`: it holds nothing that the files do not.',
  },
}
