import { sopClassByUid } from '../dataset/registry.ts'
import { STATUS_CODES } from './status-codes.ts'
import type { StatusService } from './status-codes.ts'
import type { DimseService } from './types.ts'

export { STATUS_CODES } from './status-codes.ts'
export type { StatusRange, StatusService } from './status-codes.ts'

/** Status classes of PS3.7 annex C; `unknown` for codes outside all of them. */
export type StatusCategory = 'success' | 'pending' | 'cancel' | 'warning' | 'failure' | 'unknown'

/** Status codes that the message exchange itself uses (PS3.7 annex C). */
export const Status = {
  Success: 0x0000,
  ProcessingFailure: 0x0110,
  DuplicateSopInstance: 0x0111,
  NoSuchSopInstance: 0x0112,
  InvalidArgumentValue: 0x0115,
  NoSuchSopClass: 0x0118,
  SopClassNotSupported: 0x0122,
  NoSuchAction: 0x0123,
  NotAuthorized: 0x0124,
  DuplicateInvocation: 0x0210,
  UnrecognizedOperation: 0x0211,
  MistypedArgument: 0x0212,
  ResourceLimitation: 0x0213,
  OutOfResources: 0xa700,
  MoveDestinationUnknown: 0xa801,
  DataSetMismatch: 0xa900,
  SubOperationsWithFailures: 0xb000,
  UnableToProcess: 0xc000,
  Cancel: 0xfe00,
  Pending: 0xff00,
  PendingWithWarning: 0xff01,
} as const

/** The status class of a code, by the convention of PS3.7 annex C. */
export function statusCategory(status: number): StatusCategory {
  if (status === 0x0000) return 'success'
  if (status === 0xff00 || status === 0xff01) return 'pending'
  if (status === 0xfe00) return 'cancel'
  if (status === 0x0001 || status === 0x0107 || status === 0x0116) return 'warning'
  switch (status >>> 12) {
    case 0xa:
    case 0xc:
      return 'failure'
    case 0xb:
      return 'warning'
    case 0x0:
      return status >= 0x0100 && status <= 0x02ff ? 'failure' : 'unknown'
    default:
      return 'unknown'
  }
}

const OF_OPERATIONS: Readonly<Partial<Record<DimseService, StatusService>>> = {
  'C-STORE': 'storage',
  'C-FIND': 'query-retrieve-find',
  'C-GET': 'query-retrieve-get',
  'C-MOVE': 'query-retrieve-move',
}

/**
 * The list of status codes that an operation on a SOP class draws from. Retrieval and query of hanging
 * protocols, colour palettes and the like use the codes of Query/Retrieve.
 */
export function statusServiceOf(service: DimseService, sopClassUid?: string): StatusService {
  const serviceClass = sopClassUid === undefined ? undefined : sopClassByUid(sopClassUid)?.service
  if (serviceClass !== undefined && Object.hasOwn(STATUS_CODES, serviceClass)) return serviceClass as StatusService
  return OF_OPERATIONS[service] ?? 'general'
}

/**
 * What a status means, for logs and for people: the service's own meaning, else the general one of PS3.7
 * annex C, else the code in hexadecimal.
 *
 * @param service the operation, or the list from {@link statusServiceOf}
 */
export function statusLabel(status: number, service: StatusService | DimseService = 'general'): string {
  const isList = Object.hasOwn(STATUS_CODES, service)
  const list = isList ? (service as StatusService) : statusServiceOf(service as DimseService)
  return labelIn(list, status) ?? labelIn('general', status) ?? `0x${status.toString(16).padStart(4, '0')}`
}

/** The class of a status and what it means; see {@link statusCategory} and {@link statusLabel}. */
export function describeStatus(
  status: number,
  service: StatusService | DimseService = 'general',
): { readonly category: StatusCategory; readonly label: string } {
  return { category: statusCategory(status), label: statusLabel(status, service) }
}

function labelIn(service: StatusService, status: number): string | undefined {
  return STATUS_CODES[service].find(([from, to]) => status >= from && status <= to)?.[3]
}
