export { ApplicationEntity } from './application-entity.ts'
export type { CloseOptions } from './close.ts'
export { AssociationServer, listenError } from './association-server.ts'
export { Association } from './association/association.ts'
export type { AssociationState } from './association/association.ts'
export type { AssociationUser } from './association/association-user.ts'
export type { ConnectionSecurity } from './association/security.ts'
export type { AssociationSettings } from './association/settings.ts'
export type { AssociateOptions, UserIdentityOptions } from './association/associate-options.ts'
export { describeAbort, describeRejection } from './acse/rejections.ts'
export * from './acse/service-class-information.ts'
export * from './acse/service-class-information-common.ts'
export * from './acse/service-class-information-items.ts'
export { ContextResult } from './acse/types.ts'
export type {
  AcceptedContext,
  OperationsWindow,
  ProposedContext,
  RejectedContext,
  Rejection,
  RequestedContext,
  RoleSelection,
  SupportedContext,
} from './acse/types.ts'
export { defineCommand } from './command.ts'
export type { CommandArgument, CommandDefinition, CommandInvocation, CommandOption, CommandServices, ConfiguredPlugin } from './command.ts'
export { DEFAULT_LIMITS, DEFAULT_PORT, DEFAULT_TIMEOUTS } from './config/defaults.ts'
export { configJsonSchema, parseConfig } from './config/schema.ts'
export type {
  ApplicationEntityOptions,
  AssociateTls,
  Config,
  Limits,
  ListenerOptions,
  ListenerPluginKey,
  ListenerProxyProtocol,
  ListenerTls,
  ResolvedConfig,
  Timeouts,
} from './config/types.ts'
export * from './dataset/index.ts'
export { defineConfig, definePlugin, definePreset, isPlugin, isPluginFactory } from './define.ts'
export type { ConfigExport } from './define.ts'
export { MessageAssembler } from './dimse/assembler.ts'
export { CommandField, commandName, decodeCommandSet, encodeCommandSet, hasDataSet } from './dimse/command-set.ts'
export type { CommandSet } from './dimse/command-set.ts'
export { MessageFragmenter } from './dimse/fragmenter.ts'
export type { DataSetSink, IncomingDataSet } from './dimse/incoming-data-set.ts'
export { describeStatus, statusCategory, statusCodesOf, statusLabel, statusServiceOf } from './dimse/status.ts'
export type { StatusCategory, StatusCode, StatusService } from './dimse/status.ts'
export * from './dimse/status-names.ts'
export type * from './dimse/types.ts'
export type * from './dimse/user-types.ts'
export { DulServiceProvider } from './dul/provider.ts'
export type { DulRequest } from './dul/primitives.ts'
export type { DulOptions } from './dul/options.ts'
export type { DulIndication } from './dul/indication-queue.ts'
export { DUL_ACTIONS, DUL_EVENTS, DUL_STATES, TRANSITION_TABLE } from './dul/transition-table.ts'
export type { DulAction, DulEvent, DulState } from './dul/transition-table.ts'
export { AbortReason, AssociationAbortedError, AssociationRejectedError, DicomtapError, ERROR_CODES, PduError, StatusError } from './errors/index.ts'
export type { ErrorCode, StatusErrorOptions } from './errors/index.ts'
export { HOOK_CATALOG, HOOK_NAMES } from './hooks/catalog.ts'
export { guardTaps } from './hooks/guard-taps.ts'
export type { GuardTapsOptions, InterceptableHook } from './hooks/guard-taps.ts'
export { HookError } from './hooks/hook-error.ts'
export { listTaps } from './hooks/run.ts'
export type { HookListing, TapListing } from './hooks/run.ts'
export { Stage } from './hooks/stages.ts'
export type * from './hooks/catalog-entry.ts'
export type * from './hooks/types.ts'
export { FRAMEWORK_VERSION, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from './identity.ts'
export { createLogger } from './console-log.ts'
export type { LogArea, Logger, LogLevel, LogRecord, LogSink } from './logger.ts'
export { nearNames } from './near-names.ts'
export { setOnListener } from './dul/listener-options.ts'
export { decodePdu } from './pdu/decode.ts'
export { encodePdu } from './pdu/encode.ts'
export { PduFramer } from './pdu/framer.ts'
export { PduType } from './pdu/types.ts'
export type { WarmUpOptions, WarmUpResult } from './rehearsal/rehearse.ts'
export { filterUserItems, findUserItem, isKnownUserItem } from './pdu/user-items/find.ts'
export { UserItemType } from './pdu/user-items/item-types.ts'
export type * from './pdu/types.ts'
export type * from './pdu/user-items/types.ts'
export type { PluginInfo } from './plugin/container.ts'
export { validateAllOptions } from './plugin/options.ts'
export type { ValidatedPlugin } from './plugin/options.ts'
export { redactOptions, resolveSecret } from './plugin/secret.ts'
export type { Secret } from './plugin/secret.ts'
export type * from './plugin/types.ts'
export { LocalStates, makeSharedObject } from './server-process.ts'
export type { CreateSharedState, ServerProcess, SharedListener, SharedListenerOptions, SharedObject, SharedState, SharedStateContext } from './server-process.ts'
export { StallWatch, isLocalFileSystemType } from './stall-watch.ts'
