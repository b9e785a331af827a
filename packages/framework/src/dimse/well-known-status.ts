/** Statuses that the core answers with (PS3.7 annex C, PS3.4 annexes B and C). */
export const Status = {
  Success: 0x0000,
  ProcessingFailure: 0x0110,
  InvalidObjectInstance: 0x0117,
  NoSuchSopClass: 0x0118,
  SopClassNotSupported: 0x0122,
  DuplicateInvocation: 0x0210,
  UnrecognizedOperation: 0x0211,
  MistypedArgument: 0x0212,
  Pending: 0xff00,
  PendingWarning: 0xff01,
  Cancel: 0xfe00,
  SubOperationsCompleteWithFailures: 0xb000,
  UnableToPerformSubOperations: 0xa702,
  MoveDestinationUnknown: 0xa801,
  CannotUnderstand: 0xc000,
  /** A handler answered something that is no status. */
  InvalidHandlerAnswer: 0xc002,
} as const
