import { QUERY_RETRIEVE_SERVICE_CLASSES } from '../dataset/query-models.ts'
import { sopClassByUid } from '../dataset/registry.ts'
import type { ServiceClass } from '../dataset/sop-classes.ts'
import { STATUS_CODES } from './status-codes.ts'
import type { StatusService } from './status-codes.ts'
import type { DimseService } from './types.ts'

export { STATUS_CODES } from './status-codes.ts'
export type { StatusRange, StatusService } from './status-codes.ts'

/** Status classes of PS3.7 annex C; `unknown` for codes outside all of them. */
export type StatusCategory = 'success' | 'pending' | 'cancel' | 'warning' | 'failure' | 'unknown'

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
 *
 * @param serviceClass for a SOP class that the registry does not know, the one that SOP Class Common Extended
 *   Negotiation gave it (PS3.7 D.3.3.6)
 */
export function statusServiceOf(service: DimseService, sopClassUid?: string, serviceClass?: ServiceClass): StatusService {
  const known = (sopClassUid === undefined ? undefined : sopClassByUid(sopClassUid)?.service) ?? serviceClass
  if (known !== undefined && isStatusService(known)) return known
  return OF_OPERATIONS[service] ?? 'general'
}

/** A status, or a range of them, of a service. */
export interface StatusCode {
  readonly from: number
  /** Same as `from` for a single code. */
  readonly to: number
  readonly category: StatusCategory
  readonly label: string
}

/**
 * Every status that a service may answer with: its own of PS3.4 first, then the general ones of PS3.7 annex C
 * that it does not define anew.
 *
 * @param service a service class, e.g. `unified-procedure-step`, one of its operations where they differ, e.g.
 *   `query-retrieve-move`, or a DIMSE service
 *
 * @example
 * for (const { from, label } of statusCodesOf('print-management')) console.log(from.toString(16), label)
 */
export function statusCodesOf(service: StatusService | ServiceClass | DimseService): readonly StatusCode[] {
  const own = listsOf(service).flatMap((list) => STATUS_CODES[list])
  const isOwn = (code: number): boolean => own.some(([from, to]) => code >= from && code <= to)
  const rows = [...own, ...STATUS_CODES.general.filter(([code]) => !isOwn(code))]
  // The lists of C-GET and C-MOVE overlap.
  const distinct = new Map(rows.map((row) => [row.join(), row]))
  return [...distinct.values()].map(([from, to, category, label]) => ({ from, to, category, label }))
}

function listsOf(service: StatusService | ServiceClass | DimseService): readonly StatusService[] {
  if (QUERY_RETRIEVE_SERVICE_CLASSES.includes(service as ServiceClass)) return ['query-retrieve-find', 'query-retrieve-move', 'query-retrieve-get']
  if (isStatusService(service)) return [service]
  return [OF_OPERATIONS[service as DimseService] ?? 'general']
}

function isStatusService(name: string): name is StatusService {
  return Object.hasOwn(STATUS_CODES, name)
}

/**
 * What a status means, for logs and for people: the service's own meaning, else the general one of PS3.7
 * annex C, else the code in hexadecimal.
 *
 * @param service the operation, or the list from {@link statusServiceOf}
 */
export function statusLabel(status: number, service: StatusService | DimseService = 'general'): string {
  const list = isStatusService(service) ? service : statusServiceOf(service)
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
