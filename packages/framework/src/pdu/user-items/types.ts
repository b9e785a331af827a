/** Maximum Length Received, 0x51 (PS3.8 D.1). 0 means no limit. */
export interface MaximumLength {
  readonly type: 0x51
  readonly maximumLengthReceived: number
}
/** Implementation Class UID, 0x52 (PS3.7 D.3.3.2). */
export interface ImplementationClassUid {
  readonly type: 0x52
  readonly implementationClassUid: string
}
/** Asynchronous Operations Window, 0x53 (PS3.7 D.3.3.3). 0 means unlimited. */
export interface AsynchronousOperationsWindow {
  readonly type: 0x53
  readonly maximumNumberOperationsInvoked: number
  readonly maximumNumberOperationsPerformed: number
}
/** SCP/SCU Role Selection, 0x54 (PS3.7 D.3.3.4). */
export interface ScpScuRoleSelection {
  readonly type: 0x54
  readonly sopClassUid: string
  readonly scuRole: boolean
  readonly scpRole: boolean
}
/** Implementation Version Name, 0x55 (PS3.7 D.3.3.2). */
export interface ImplementationVersionName {
  readonly type: 0x55
  readonly implementationVersionName: string
}
/** SOP Class Extended Negotiation, 0x56 (PS3.7 D.3.3.5). */
export interface SopClassExtended {
  readonly type: 0x56
  readonly sopClassUid: string
  readonly serviceClassApplicationInformation: Uint8Array
}
/** SOP Class Common Extended Negotiation, 0x57 (PS3.7 D.3.3.6). Requests only. */
export interface SopClassCommonExtended {
  readonly type: 0x57
  readonly subItemVersion: number
  readonly sopClassUid: string
  readonly serviceClassUid: string
  readonly relatedGeneralSopClassUids: readonly string[]
}
/** User Identity in an A-ASSOCIATE-RQ, 0x58 (PS3.7 D.3.3.7.1). */
export interface UserIdentityRequest {
  readonly type: 0x58
  /** 1 username, 2 username and passcode, 3 Kerberos, 4 SAML, 5 JSON web token. */
  readonly userIdentityType: number
  readonly positiveResponseRequested: boolean
  readonly primaryField: Uint8Array
  /** Passcode; empty unless type 2. */
  readonly secondaryField: Uint8Array
}
/** User Identity in an A-ASSOCIATE-AC, 0x59 (PS3.7 D.3.3.7.2). */
export interface UserIdentityResponse {
  readonly type: 0x59
  readonly serverResponse: Uint8Array
}
/** An item this version does not know: kept and ignored (PS3.8 9.3.1). `type` is none of the above. */
export interface UnknownUserItem {
  readonly type: number
  readonly unknown: true
  readonly data: Uint8Array
}
export type KnownUserItem =
  | MaximumLength
  | ImplementationClassUid
  | AsynchronousOperationsWindow
  | ScpScuRoleSelection
  | ImplementationVersionName
  | SopClassExtended
  | SopClassCommonExtended
  | UserIdentityRequest
  | UserIdentityResponse
export type UserItem = KnownUserItem | UnknownUserItem
