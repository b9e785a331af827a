import type { DimseService } from './types.ts'

/** Command Field (0000,0100) values of PS3.7 table E.1-1. */
export const CommandField = {
  C_STORE_RQ: 0x0001,
  C_STORE_RSP: 0x8001,
  C_GET_RQ: 0x0010,
  C_GET_RSP: 0x8010,
  C_FIND_RQ: 0x0020,
  C_FIND_RSP: 0x8020,
  C_MOVE_RQ: 0x0021,
  C_MOVE_RSP: 0x8021,
  C_ECHO_RQ: 0x0030,
  C_ECHO_RSP: 0x8030,
  N_EVENT_REPORT_RQ: 0x0100,
  N_EVENT_REPORT_RSP: 0x8100,
  N_GET_RQ: 0x0110,
  N_GET_RSP: 0x8110,
  N_SET_RQ: 0x0120,
  N_SET_RSP: 0x8120,
  N_ACTION_RQ: 0x0130,
  N_ACTION_RSP: 0x8130,
  N_CREATE_RQ: 0x0140,
  N_CREATE_RSP: 0x8140,
  N_DELETE_RQ: 0x0150,
  N_DELETE_RSP: 0x8150,
  C_CANCEL_RQ: 0x0fff,
} as const
export type CommandField = (typeof CommandField)[keyof typeof CommandField]

const RESPONSE_BIT = 0x8000

const SERVICES: ReadonlyMap<number, DimseService> = new Map([
  [CommandField.C_STORE_RQ, 'C-STORE'],
  [CommandField.C_GET_RQ, 'C-GET'],
  [CommandField.C_FIND_RQ, 'C-FIND'],
  [CommandField.C_MOVE_RQ, 'C-MOVE'],
  [CommandField.C_ECHO_RQ, 'C-ECHO'],
  [CommandField.N_EVENT_REPORT_RQ, 'N-EVENT-REPORT'],
  [CommandField.N_GET_RQ, 'N-GET'],
  [CommandField.N_SET_RQ, 'N-SET'],
  [CommandField.N_ACTION_RQ, 'N-ACTION'],
  [CommandField.N_CREATE_RQ, 'N-CREATE'],
  [CommandField.N_DELETE_RQ, 'N-DELETE'],
])

/** The service a request or response belongs to; undefined for C-CANCEL-RQ and for what PS3.7 does not define. */
export function serviceOf(commandField: number): DimseService | undefined {
  return SERVICES.get(commandField & ~RESPONSE_BIT)
}

/** Is it one of the eleven requests? C-CANCEL-RQ is none: nothing answers it. */
export function isRequest(commandField: number): boolean {
  return SERVICES.has(commandField)
}

/** Is it one of the eleven responses? */
export function isResponse(commandField: number): boolean {
  return (commandField & RESPONSE_BIT) !== 0 && SERVICES.has(commandField & ~RESPONSE_BIT)
}

/** The Command Field of the response to a request. */
export function responseFieldOf(requestField: number): number {
  return requestField | RESPONSE_BIT
}

/** `C-ECHO-RQ`, `N-SET-RSP`, ...; four hexadecimal digits for what PS3.7 does not define. */
export function commandName(commandField: number): string {
  if (commandField === CommandField.C_CANCEL_RQ) return 'C-CANCEL-RQ'
  const service = serviceOf(commandField)
  if (service === undefined) return `0x${commandField.toString(16).padStart(4, '0')}`
  return (commandField & RESPONSE_BIT) === 0 ? `${service}-RQ` : `${service}-RSP`
}
