import { Status } from '@dicomtap/framework'
import type { DimseService, ServiceHookName } from '@dicomtap/framework'

export const SERVICE_HOOKS: Readonly<Record<DimseService, ServiceHookName>> = {
  'C-ECHO': 'cEcho',
  'C-STORE': 'cStore',
  'C-FIND': 'cFind',
  'C-GET': 'cGet',
  'C-MOVE': 'cMove',
  'N-EVENT-REPORT': 'nEventReport',
  'N-GET': 'nGet',
  'N-SET': 'nSet',
  'N-ACTION': 'nAction',
  'N-CREATE': 'nCreate',
  'N-DELETE': 'nDelete',
}

/**
 * Refused: not authorized (0124) where PS3.7 lists it for the service. C-ECHO and C-FIND have one refusal, for the SOP
 * class (PS3.7 9.1.5.1.4, 9.1.2.1.5); N-EVENT-REPORT has none, and gets processing failure (PS3.7 10.1.1.1.8).
 */
export const REFUSED_STATUS: Readonly<Record<DimseService, number>> = {
  'C-ECHO': Status.SopClassNotSupported,
  'C-STORE': Status.NotAuthorized,
  'C-FIND': Status.SopClassNotSupported,
  'C-GET': Status.NotAuthorized,
  'C-MOVE': Status.NotAuthorized,
  'N-EVENT-REPORT': Status.ProcessingFailure,
  'N-GET': Status.NotAuthorized,
  'N-SET': Status.NotAuthorized,
  'N-ACTION': Status.NotAuthorized,
  'N-CREATE': Status.NotAuthorized,
  'N-DELETE': Status.NotAuthorized,
}
