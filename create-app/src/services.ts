/** Answers C-FIND, C-MOVE and C-GET for what the storage service keeps. */
export const QUERY_RETRIEVE_PACKAGE = '@dicomtap/plugin-query-retrieve'

/** A service class that the scaffolded server can offer. A new one needs a row here and its lines in the templates. */
export interface Service {
  readonly label: string
  readonly hint: string
  /** The plugin package that serves it. */
  readonly package: string
}

export const SERVICES: Readonly<Record<ServiceName, Service>> = {
  verification: { label: 'Verification', hint: 'answers C-ECHO', package: '@dicomtap/plugin-verification' },
  storage: { label: 'Storage', hint: 'receives images with C-STORE into ./data', package: '@dicomtap/plugin-storage' },
}

export type ServiceName = 'verification' | 'storage'
export const SERVICE_NAMES: readonly ServiceName[] = Object.keys(SERVICES) as ServiceName[]

export function isServiceName(name: string): name is ServiceName {
  return Object.hasOwn(SERVICES, name)
}
