/** User information sub-items (PS3.8 annex D, PS3.7 annex D.3.3). */
export const UserItemType = {
  MaximumLength: 0x51,
  ImplementationClassUid: 0x52,
  AsynchronousOperationsWindow: 0x53,
  ScpScuRoleSelection: 0x54,
  ImplementationVersionName: 0x55,
  SopClassExtended: 0x56,
  SopClassCommonExtended: 0x57,
  UserIdentityRequest: 0x58,
  UserIdentityResponse: 0x59,
} as const
export type UserItemType = (typeof UserItemType)[keyof typeof UserItemType]
