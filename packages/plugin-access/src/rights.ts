import { isValidUid, nearNames, QUERY_RETRIEVE_SERVICE_CLASSES, sopClassByKeyword, sopClassByUid, sopClassKeywords } from '@dicomtap/framework'
import type { DimseService, ServiceClass } from '@dicomtap/framework'

export interface NamedRight {
  readonly services: readonly DimseService[]
  readonly classes: readonly ServiceClass[]
  /** For README and `dicomtap peers`. */
  readonly meaning: string
}

const N_SERVICES = ['N-CREATE', 'N-SET', 'N-GET', 'N-ACTION', 'N-DELETE', 'N-EVENT-REPORT'] as const satisfies readonly DimseService[]
const STORED = ['storage', 'non-patient-object', 'media-storage'] as const satisfies readonly ServiceClass[]

/** The rights that have a name: DIMSE services of PS3.7 on the SOP classes of service classes of PS3.4. */
const NAMED = {
  echo: { services: ['C-ECHO'], classes: ['verification'], meaning: 'verification (C-ECHO)' },
  store: { services: ['C-STORE'], classes: STORED, meaning: 'storing objects of any class' },
  find: { services: ['C-FIND'], classes: QUERY_RETRIEVE_SERVICE_CLASSES, meaning: 'queries (C-FIND), worklists not included' },
  get: { services: ['C-GET'], classes: QUERY_RETRIEVE_SERVICE_CLASSES, meaning: 'retrieval to itself (C-GET)' },
  move: { services: ['C-MOVE'], classes: QUERY_RETRIEVE_SERVICE_CLASSES, meaning: 'retrieval to the peers in moveTo (C-MOVE)' },
  worklist: { services: ['C-FIND'], classes: ['basic-worklist'], meaning: 'the modality worklist' },
  mpps: { services: N_SERVICES, classes: ['procedure-step'], meaning: 'performed procedure steps' },
  commit: { services: N_SERVICES, classes: ['storage-commitment'], meaning: 'storage commitment' },
  ups: { services: ['C-FIND', ...N_SERVICES], classes: ['unified-procedure-step'], meaning: 'unified procedure steps' },
  availability: { services: N_SERVICES, classes: ['instance-availability'], meaning: 'instance availability notification' },
  print: { services: N_SERVICES, classes: ['print-management'], meaning: 'printing' },
  media: { services: N_SERVICES, classes: ['media-creation'], meaning: 'media creation' },
  patients: { services: ['C-FIND'], classes: ['relevant-patient-query'], meaning: 'relevant patient information' },
  events: { services: N_SERVICES, classes: ['application-event'], meaning: 'application event logging' },
} as const satisfies Readonly<Record<string, NamedRight>>

export const NAMED_RIGHTS: Readonly<Record<string, NamedRight>> = NAMED

/** Everything, SOP classes without a named right included. */
export const ALL_RIGHTS = 'all'

export const RIGHT_NAMES: readonly string[] = [...Object.keys(NAMED_RIGHTS), ALL_RIGHTS]

/** What is wrong with a right as it is written; undefined when nothing is. */
export function rightProblem(right: string): string | undefined {
  if (RIGHT_NAMES.includes(right) || isValidUid(right) || sopClassByKeyword(right) !== undefined) return undefined
  const near = nearNames(right, [...RIGHT_NAMES, ...sopClassKeywords()])
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `use ${RIGHT_NAMES.join(', ')}, or a SOP class by keyword or UID`
  return `'${right.slice(0, 64)}' is no right; ${hint}`
}

/** What somebody may do. */
export class Rights {
  static readonly NONE: Rights = new Rights([])
  /** As written. */
  readonly names: readonly string[]
  readonly #all: boolean
  readonly #named: readonly NamedRight[]
  readonly #sopClasses: ReadonlySet<string>

  constructor(names: readonly string[]) {
    this.names = names
    this.#all = names.includes(ALL_RIGHTS)
    this.#named = names.flatMap((name) => (Object.hasOwn(NAMED, name) ? [NAMED[name as keyof typeof NAMED]] : []))
    this.#sopClasses = new Set(names.filter((name) => !RIGHT_NAMES.includes(name)).map((name) => sopClassByKeyword(name)?.uid ?? name))
  }

  /** May this service be asked for on this SOP class? */
  covers(service: DimseService, sopClassUid: string): boolean {
    if (this.#all || this.#sopClasses.has(sopClassUid)) return true
    const serviceClass = sopClassByUid(sopClassUid)?.service
    return this.#named.some(({ services, classes }) => {
      if (!services.includes(service)) return false
      // Private and unknown classes are stored or nothing.
      return serviceClass === undefined ? service === 'C-STORE' : classes.includes(serviceClass)
    })
  }

  /** Is there anything that may be asked for on a presentation context of this abstract syntax? */
  coversContext(abstractSyntax: string): boolean {
    if (this.#all || this.#sopClasses.has(abstractSyntax)) return true
    const serviceClass = sopClassByUid(abstractSyntax)?.service
    return this.#named.some(({ services, classes }) => {
      if (serviceClass === undefined) return services.includes('C-STORE')
      if (!classes.includes(serviceClass)) return false
      const only = onlyServiceOf(abstractSyntax, serviceClass)
      return only === undefined || services.includes(only)
    })
  }

  /** The peer may retrieve with C-GET: objects go to it on storage contexts, on which it is SCP. */
  get mayGet(): boolean {
    return this.#all || this.names.includes('get') || [...this.#sopClasses].some((uid) => onlyServiceOf(uid, sopClassByUid(uid)?.service) === 'C-GET')
  }
}

/** The classes of an information model differ in the one service that they are for: their names end in it (PS3.4 C.6). */
function onlyServiceOf(uid: string, serviceClass: ServiceClass | undefined): DimseService | undefined {
  if (serviceClass === undefined || !QUERY_RETRIEVE_SERVICE_CLASSES.includes(serviceClass)) return undefined
  const keyword = sopClassByUid(uid)?.keyword ?? ''
  if (keyword.endsWith('Get')) return 'C-GET'
  if (keyword.endsWith('Move')) return 'C-MOVE'
  return 'C-FIND'
}

/** The services that a SOP class is for; all of them for a class without a named right. */
export function servicesOf(sopClassUid: string): readonly DimseService[] {
  const serviceClass = sopClassByUid(sopClassUid)?.service
  const only = onlyServiceOf(sopClassUid, serviceClass)
  if (only !== undefined) return [only]
  if (serviceClass === undefined) return ['C-STORE']
  const named = Object.values(NAMED_RIGHTS).filter(({ classes }) => classes.includes(serviceClass))
  return named.length === 0 ? ['C-FIND', ...N_SERVICES] : named.flatMap(({ services }) => services)
}

/** The named rights that a peer needs for what it proposed; SOP classes without one by their keyword or UID. */
export function rightsFor(abstractSyntaxes: Iterable<string>): string[] {
  const names = new Set<string>()
  for (const uid of abstractSyntaxes) {
    const named = Object.keys(NAMED_RIGHTS).find((name) => new Rights([name]).coversContext(uid))
    names.add(named ?? (sopClassByUid(uid)?.keyword || uid))
  }
  return [...names]
}
