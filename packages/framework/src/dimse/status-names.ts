/** Statuses that any service may have (PS3.7 annex C), and those that C services share. */
export const Status = {
  Success: 0x0000,
  /** A warning of N-GET and N-CREATE: what was asked for is optional and not supported. */
  OptionalAttributesNotSupported: 0x0001,
  NoSuchAttribute: 0x0105,
  InvalidAttributeValue: 0x0106,
  AttributeListError: 0x0107,
  ProcessingFailure: 0x0110,
  DuplicateSopInstance: 0x0111,
  NoSuchSopInstance: 0x0112,
  NoSuchEventType: 0x0113,
  NoSuchArgument: 0x0114,
  InvalidArgumentValue: 0x0115,
  AttributeValueOutOfRange: 0x0116,
  InvalidObjectInstance: 0x0117,
  NoSuchSopClass: 0x0118,
  ClassInstanceConflict: 0x0119,
  MissingAttribute: 0x0120,
  MissingAttributeValue: 0x0121,
  SopClassNotSupported: 0x0122,
  NoSuchAction: 0x0123,
  NotAuthorized: 0x0124,
  DuplicateInvocation: 0x0210,
  UnrecognizedOperation: 0x0211,
  MistypedArgument: 0x0212,
  ResourceLimitation: 0x0213,
  Cancel: 0xfe00,
  Pending: 0xff00,
} as const

/** C-STORE (PS3.4 B.2.3). */
export const StorageStatus = {
  OutOfResources: 0xa700,
  DataSetMismatch: 0xa900,
  ElementsCoerced: 0xb000,
  ElementsDiscarded: 0xb006,
  /** Stored nevertheless. */
  DataSetMismatchWarning: 0xb007,
  CannotUnderstand: 0xc000,
} as const

/** C-FIND (PS3.4 C.4.1.1.4). */
export const QueryStatus = {
  OutOfResources: 0xa700,
  /** Repository Query only. */
  InvalidPriorRecordKey: 0xa710,
  IdentifierMismatch: 0xa900,
  /** Repository Query only. */
  ResponseLimitReached: 0xb001,
  UnableToProcess: 0xc000,
  Pending: 0xff00,
  PendingOptionalKeysNotSupported: 0xff01,
} as const

/** C-MOVE and C-GET (PS3.4 C.4.2.1.5, C.4.3.1.4, Y.3.1.4). */
export const RetrieveStatus = {
  CannotCountMatches: 0xa701,
  CannotPerformSubOperations: 0xa702,
  /** C-MOVE only. */
  MoveDestinationUnknown: 0xa801,
  IdentifierMismatch: 0xa900,
  NoneOfTheFramesFound: 0xaa00,
  CannotCreateObject: 0xaa01,
  CannotExtractFrames: 0xaa02,
  NotTimeBased: 0xaa03,
  InvalidRequest: 0xaa04,
  SubOperationsWithFailures: 0xb000,
  UnableToProcess: 0xc000,
  Pending: 0xff00,
} as const

/** Relevant patient information queries (PS3.4 Q.2.1.1.4). */
export const RelevantPatientQueryStatus = {
  OutOfResources: 0xa700,
  IdentifierMismatch: 0xa900,
  UnableToProcess: 0xc000,
  MoreThanOneMatch: 0xc100,
  TemplateNotSupported: 0xc200,
  Pending: 0xff00,
} as const

/** Print management (PS3.4 H.4). */
export const PrintManagementStatus = {
  MemoryAllocationNotSupported: 0xb600,
  CollationNotSupported: 0xb601,
  FilmSessionHasEmptyPage: 0xb602,
  FilmBoxHasEmptyPage: 0xb603,
  ImageDemagnified: 0xb604,
  DensityOutOfRange: 0xb605,
  ImageCropped: 0xb609,
  ImageDecimated: 0xb60a,
  NoFilmBox: 0xc600,
  /** Of a film session. */
  FilmSessionQueueFull: 0xc601,
  /** Of a film box. */
  FilmBoxQueueFull: 0xc602,
  ImageTooLarge: 0xc603,
  InsufficientMemory: 0xc605,
  CombinedImageTooLarge: 0xc613,
  FilmBoxNotPrinted: 0xc616,
} as const

/** Media creation (PS3.4 S.3.2). */
export const MediaCreationStatus = {
  AlreadyInitiated: 0xa510,
  AlreadyCompleted: 0xc201,
  AlreadyInProgress: 0xc202,
  CancellationDenied: 0xc203,
} as const

/** Procedural event and substance administration logging (PS3.4 P.2.2.4, P.3.2.4). */
export const ApplicationEventStatus = {
  FrameOfReferenceDiffers: 0xb101,
  StudyCoerced: 0xb102,
  IdsInconsistentLogged: 0xb104,
  LoggingNotAvailable: 0xc101,
  TemplateMismatch: 0xc102,
  NoCurrentStudy: 0xc103,
  IdsInconsistentNotLogged: 0xc104,
  OperatorNotAuthorized: 0xc10e,
  PatientUnknown: 0xc110,
  UpdateFailed: 0xc111,
} as const

/** Unified procedure steps (PS3.4 CC.2). */
export const UnifiedProcedureStepStatus = {
  CreatedWithModifications: 0xb300,
  DeletionLockNotGranted: 0xb301,
  AlreadyCanceledWarning: 0xb304,
  ValuesCoerced: 0xb305,
  AlreadyCompletedWarning: 0xb306,
  NoLongerUpdatable: 0xc300,
  WrongTransactionUid: 0xc301,
  AlreadyInProgress: 0xc302,
  ScheduledByCreateOnly: 0xc303,
  FinalStateRequirementsNotMet: 0xc304,
  NoSuchInstance: 0xc307,
  ReceivingAeTitleUnknown: 0xc308,
  NotScheduled: 0xc309,
  NotInProgress: 0xc310,
  AlreadyCompleted: 0xc311,
  PerformerNotReachable: 0xc312,
  PerformerDeclines: 0xc313,
  ActionNotAppropriate: 0xc314,
  EventReportsNotSupported: 0xc315,
} as const

/** RT machine verification (PS3.4 DD.3.2). */
export const RtMachineVerificationStatus = {
  NoSuchVerification: 0xc112,
  NoSuchFractionGroup: 0xc221,
  NoBeams: 0xc222,
  AlreadyVerifying: 0xc223,
  NoSuchBeam: 0xc224,
  DeviceNotSupported: 0xc225,
  DeviceNotFound: 0xc226,
  NoSuchPlan: 0xc227,
} as const

/** Inventory creation (PS3.4 KK.2). */
export const StorageManagementStatus = { KeysNotSupported: 0xb010 } as const
