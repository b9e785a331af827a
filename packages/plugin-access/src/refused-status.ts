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

const NOT_AUTHORIZED = 0x0124
const SOP_CLASS_NOT_SUPPORTED = 0x0122

/**
 * Refused: not authorized (0124) where PS3.7 lists it for the service. C-ECHO and C-FIND have one refusal, for the SOP
 * class (PS3.7 9.1.5.1.4, 9.1.2.1.5); N-EVENT-REPORT has none, and gets processing failure (PS3.7 10.1.1.1.8).
 */
export const REFUSED_STATUS: Readonly<Record<DimseService, number>> = {
  'C-ECHO': SOP_CLASS_NOT_SUPPORTED,
  'C-STORE': NOT_AUTHORIZED,
  'C-FIND': SOP_CLASS_NOT_SUPPORTED,
  'C-GET': NOT_AUTHORIZED,
  'C-MOVE': NOT_AUTHORIZED,
  'N-EVENT-REPORT': Status.ProcessingFailure,
  'N-GET': NOT_AUTHORIZED,
  'N-SET': NOT_AUTHORIZED,
  'N-ACTION': NOT_AUTHORIZED,
  'N-CREATE': NOT_AUTHORIZED,
  'N-DELETE': NOT_AUTHORIZED,
}
