import { HOOK_NAMES } from '../hooks/catalog.ts'
import type { HookHandler, HookHandlers, HookName } from '../hooks/types.ts'
import type { PluginInput } from '../plugin/types.ts'
import { isPlugin, isPluginFactory } from '../define.ts'
import { LISTENER_PLUGINS } from '../plugin/listener-options.ts'
import { DEFAULT_AE_TITLE, DEFAULT_BACKLOG, DEFAULT_LIMITS, DEFAULT_PORT, DEFAULT_TIMEOUTS } from './defaults.ts'
import { aeTitle, implementationVersionName, supportedContext, uid } from './dicom-rules.ts'
import type { Rule, ValueRule } from './rules.ts'
import { boolean, codeOnly, described, integer, listOf, objectOf, oneOf, orElse, orNothing, show, text, value } from './rules.ts'
import type { ApplicationEntityOptions, Config, Limits, ListenerOptions, Timeouts } from './types.ts'

export type FieldsOf<T> = { readonly [Key in keyof Required<T>]: Rule<Required<T>[Key]> }

/** What a timer of Node can wait at most. */
const LONGEST_MS = 2_147_483_647
const ANY = Number.MAX_SAFE_INTEGER
const UNSIGNED_32 = 0xffff_ffff

const timeout = (description: string, key: keyof Timeouts): Rule<number | null> =>
  described(orElse(integer(1, LONGEST_MS, ' milliseconds'), null, 'none'), description, DEFAULT_TIMEOUTS[key])

export const TIMEOUTS: FieldsOf<Timeouts> = {
  acseMs: timeout('Wait for an association PDU or answer (ARTIM), in milliseconds', 'acseMs'),
  dimseMs: timeout('Wait for the rest of a message or for a response, in milliseconds', 'dimseMs'),
  networkMs: timeout('How long an association may be idle, in milliseconds', 'networkMs'),
  connectionMs: timeout('Wait for a TCP connection, in milliseconds', 'connectionMs'),
  associationMs: timeout('How long an association that a peer requested may last, in milliseconds', 'associationMs'),
  handlerMs: timeout('How long a handler of a service may do nothing, in milliseconds', 'handlerMs'),
  lifecycleMs: timeout('How long a handler of a lifecycle hook may take, in milliseconds', 'lifecycleMs'),
}

const limit = (description: string, key: keyof Limits, minimum: number, maximum = ANY, unit = ' bytes'): Rule<number> =>
  described(integer(minimum, maximum, unit), description, DEFAULT_LIMITS[key])

export const LIMITS: FieldsOf<Limits> = {
  maximumAssociations: limit('Associations at once', 'maximumAssociations', 1, ANY, ''),
  maximumPendingAssociations: limit('Connections at once that are not yet associations', 'maximumPendingAssociations', 1, ANY, ''),
  // The least: a P-DATA-TF with one byte of data and the 6 bytes that come before it (PS3.8 9.3.5.1).
  maximumPduBytes: described(
    orElse(integer(7, UNSIGNED_32, ' bytes'), 0, 'unlimited'),
    'Largest P-DATA-TF accepted; 0 means unlimited',
    DEFAULT_LIMITS.maximumPduBytes,
  ),
  maximumSentPduBytes: described(
    orElse(integer(4096, UNSIGNED_32, ' bytes'), 0, 'as the peer says'),
    'Largest P-DATA-TF sent, whatever the peer takes; 0 means as it says',
    DEFAULT_LIMITS.maximumSentPduBytes,
  ),
  maximumAssociatePduBytes: limit('Largest A-ASSOCIATE PDU accepted', 'maximumAssociatePduBytes', 1024, UNSIGNED_32),
  maximumAssociateItems: limit('Items of one A-ASSOCIATE PDU, items of items included', 'maximumAssociateItems', 16, ANY, ''),
  maximumPresentationContexts: limit('Presentation contexts of one A-ASSOCIATE PDU', 'maximumPresentationContexts', 1, 128, ''),
  maximumUserItems: limit('User information items of one A-ASSOCIATE PDU', 'maximumUserItems', 2, ANY, ''),
  maximumCommandSetBytes: limit('Largest command set accepted', 'maximumCommandSetBytes', 1024, UNSIGNED_32),
  maximumEmptyFragments: limit('PDVs without data one after the other inside a message', 'maximumEmptyFragments', 0, ANY, ''),
  minimumProgressBytes: limit('Least that a peer must send of a message within timeouts.dimseMs, and read within timeouts.networkMs', 'minimumProgressBytes', 1),
  receiveBufferBytes: limit('Data set bytes buffered per association before the socket is paused', 'receiveBufferBytes', 1),
  maximumQueuedOperations: limit('Requests waiting per association before the socket is paused', 'maximumQueuedOperations', 1, ANY, ''),
  maximumPerformedOperations: limit('Requests of a peer performed at once, however wide the window', 'maximumPerformedOperations', 1, ANY, ''),
  maximumInvokedOperations: limit('Requests of ours outstanding at once, however wide the window', 'maximumInvokedOperations', 1, ANY, ''),
  maximumUnreadResponseBytes: limit('Responses to requests of this side that wait to be taken, per association', 'maximumUnreadResponseBytes', 65_536),
  maximumDecodedDataSetBytes: limit('Largest data set that is decoded, and what a deflated one may inflate to', 'maximumDecodedDataSetBytes', 1),
  maximumIdentifierBytes: limit('Largest identifier of a C-FIND, C-GET or C-MOVE request that is decoded', 'maximumIdentifierBytes', 1),
  maximumGatheredBytes: limit('Data sets held whole for running requests, in the whole AE', 'maximumGatheredBytes', 1),
  maximumDecodedElements: limit('Elements, items and fragments of a data set that is decoded', 'maximumDecodedElements', 1, ANY, ''),
  maximumDecodedValues: limit('Values of all elements of a data set that is decoded', 'maximumDecodedValues', 1, ANY, ''),
  maximumDecodedTextBytes: limit('Longest text of a data set that is decoded', 'maximumDecodedTextBytes', 1),
  maximumNestingDepth: limit('Sequences within sequences of a data set that is decoded', 'maximumNestingDepth', 1, 1_000, ''),
  closeDeadlineMs: limit('How long a close waits for running operations', 'closeDeadlineMs', 0, LONGEST_MS, ' milliseconds'),
}

const SHARED = {
  contexts: described(orNothing(listOf(supportedContext())), 'Presentation contexts supported besides those of the plugins'),
  timeouts: described(orNothing(objectOf<Partial<Timeouts>>(TIMEOUTS)), 'Time-outs in milliseconds; null means none'),
  limits: described(orNothing(objectOf<Partial<Limits>>(LIMITS)), 'Limits on size and number'),
  requireCalledAeTitle: described(boolean(), 'Refuse associations for another AE title', false),
  requireCallingAeTitles: described(orNothing(listOf(aeTitle())), 'AE titles that may associate; without it anyone may'),
  requireUserIdentity: described(boolean(), 'Refuse associations whose user no plugin verified', false),
  unrestrictedStorage: described(boolean(), 'Accept private and unknown storage SOP classes', false),
  rejectWhenNoContext: described(boolean(), 'Reject associations of which no context is accepted', false),
  networkTimeoutAction: described(oneOf('abort', 'release'), 'What happens to an association that was idle for timeouts.networkMs', 'abort'),
}

export const IMPLEMENTATION_VERSION_NAME: ValueRule<string | null> = orElse(implementationVersionName(), null, 'leaving it out')

const HANDLER = value('a function', {}, (candidate) => (typeof candidate === 'function' ? (candidate as HookHandler<HookName>) : undefined))

/** Functions by the names of their hooks. */
export const HANDLERS: Rule<HookHandlers> = codeOnly(objectOf(Object.fromEntries(HOOK_NAMES.map((name) => [name, HANDLER]))))

/** A plugin says what it means; without one the listener does not open. */
const ofPlugin = <T>(name: string, description: string): Rule<T> =>
  described({ schema: { anyOf: [{ type: 'object' }, { type: 'boolean' }] }, parse: (candidate) => candidate as T }, `${description}; needs ${name}`)

const LISTENER: FieldsOf<ListenerOptions> = {
  ...SHARED,
  port: described(integer(0, 65_535), 'TCP port; 0 picks a free one', DEFAULT_PORT),
  host: described(text('an address or host name', /^[^\s/]+$/), 'Address to bind; without it every address'),
  backlog: described(integer(1, 65_535), 'Connections that wait to be accepted', DEFAULT_BACKLOG),
  aeTitle: described(aeTitle(), 'The AE title of this listener; without it that of the AE'),
  implementationClassUid: described(uid(), 'Implementation Class UID of this listener; without it that of the AE'),
  implementationVersionName: described(IMPLEMENTATION_VERSION_NAME, 'Implementation Version Name of this listener; without it that of the AE'),
  tls: ofPlugin(LISTENER_PLUGINS.tls, 'TLS from the first byte on'),
  proxyProtocol: ofPlugin(LISTENER_PLUGINS.proxyProtocol, 'The PROXY protocol of load balancers'),
  handlers: HANDLERS,
}

const APPLICATION_ENTITY: FieldsOf<ApplicationEntityOptions> = {
  ...SHARED,
  aeTitle: described(aeTitle(), 'The AE title', DEFAULT_AE_TITLE),
  implementationClassUid: described(uid(), 'Implementation Class UID; without it that of dicomtap'),
  implementationVersionName: described(IMPLEMENTATION_VERSION_NAME, 'Implementation Version Name; without it that of dicomtap'),
  logLevel: described(oneOf('error', 'warn', 'info', 'debug', 'trace', 'silent'), 'Level of the built-in log', 'info'),
  warmUp: described(boolean(), 'Rehearse after the start, while nobody needs the server: about 3 seconds of processor time, once. Default with `dicomtap start`; false in code'),
}

const PLUGIN_REFERENCE = objectOf<{ use: string; options?: unknown }>(
  {
    use: described(text('a package name or a path', /\S/), 'The package, or a file that starts with ./'),
    options: { schema: { description: 'The options of the plugin' }, parse: (candidate) => candidate },
  },
  ['use'],
)

/** A package name, `{ use, options }`, a plugin, a list of the same, or nothing. */
const PLUGIN: Rule<PluginInput> = {
  schema: { anyOf: [{ type: 'string', minLength: 1 }, PLUGIN_REFERENCE.schema, { enum: [false, null] }] },
  parse(candidate, path, problems) {
    if (candidate === false || candidate === null || candidate === undefined || isPlugin(candidate)) return candidate
    if (Array.isArray(candidate)) return listOf(PLUGIN).parse(candidate, path, problems)
    if (isPluginFactory(candidate)) problems.push(`${path}: is a factory: call it, ${candidate.plugin.name}()`)
    else if (typeof candidate === 'object') return PLUGIN_REFERENCE.parse(candidate, path, problems)
    else if (typeof candidate !== 'string' || candidate.trim() === '') {
      problems.push(`${path}: must be a package name, { use, options } or a plugin, got ${show(candidate)}`)
    } else return candidate
    return undefined
  },
}

/** Each takes some 100 MiB. */
const MAXIMUM_WORKERS = 64

const WORKERS = value<number | 'auto'>(
  `auto or a number of processes, 1 to ${MAXIMUM_WORKERS}`,
  { anyOf: [{ type: 'integer', minimum: 1, maximum: MAXIMUM_WORKERS }, { enum: ['auto'] }] },
  (candidate) => {
    if (candidate === 'auto') return candidate
    return Number.isInteger(candidate) && (candidate as number) >= 1 && (candidate as number) <= MAXIMUM_WORKERS ? (candidate as number) : undefined
  },
)

const CONFIG: FieldsOf<Config> = {
  ...APPLICATION_ENTITY,
  workers: described(WORKERS, 'Processes that share the listeners and the limits; auto: one for each core', 1),
  listen: described(orNothing(listOf(objectOf<ListenerOptions>(LISTENER))), 'The sockets to listen on', [{ port: DEFAULT_PORT }]),
  plugins: described(orNothing(listOf(PLUGIN)), 'The plugins, in the order of their start'),
}

const LISTENER_HINTS = Object.fromEntries(
  ['port', 'host', 'backlog'].map((key) => [key, `; it belongs to an entry of listen, e.g. listen: [{ ${key}: ... }]`]),
)

export const listenerRule: Rule<ListenerOptions> = objectOf(LISTENER)
export const applicationEntityRule: Rule<ApplicationEntityOptions> = objectOf(APPLICATION_ENTITY, [], LISTENER_HINTS)

const SCHEMA_ADDRESS = described(text('an address', /\S/), 'Where the schema of this file is, for editors')
export const configRule: Rule<Config & { $schema?: string }> = objectOf({ ...CONFIG, $schema: SCHEMA_ADDRESS }, [], LISTENER_HINTS)
