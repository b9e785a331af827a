/** Version of @dicomtap/framework. A test keeps it in step with package.json. */
export const FRAMEWORK_VERSION = '0.1.0'

/** dicomtap's own Implementation Class UID, derived from a UUID (PS3.5 B.2). */
export const IMPLEMENTATION_CLASS_UID = '2.25.3684077377438425470320500226382314111'

/** Implementation Version Name (PS3.7 D.3.3.2), at most 16 characters. */
export const IMPLEMENTATION_VERSION_NAME: string = `DICOMTAP_${FRAMEWORK_VERSION}`.slice(0, 16)
