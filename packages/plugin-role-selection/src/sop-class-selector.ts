import { SOP_CLASSES, isPrivateUid, isValidUid, nearNames, sopClassByKeyword, sopClassByUid } from '@dicomtap/framework'

/** Says whether a SOP class is meant. `isUnrestricted`: private and unknown SOP classes count as storage. */
export type SopClassSelector = (sopClassUid: string, isUnrestricted: boolean) => boolean

const EVERY = '*'
/** Every SOP class whose service is C-GET. */
const C_GET = 'c-get'
const SERVICE_CLASSES: ReadonlySet<string> = new Set(SOP_CLASSES.flatMap(({ service }) => service ?? []))
/** In PS3.6 the keyword of a SOP class that is retrieved by C-GET ends so, and no other does. */
const GET_KEYWORD = /Get$/

/** What a config may say for SOP classes: a keyword, a UID, a service class, `c-get` or `*`; undefined: none of them. */
export function sopClassSelector(name: string): SopClassSelector | undefined {
  if (name === EVERY) return () => true
  if (name === C_GET) return (uid) => GET_KEYWORD.test(sopClassByUid(uid)?.keyword ?? '')
  if (SERVICE_CLASSES.has(name)) {
    return (uid, isUnrestricted) => sopClassByUid(uid)?.service === name || (name === 'storage' && isUnrestricted && isUnlisted(uid))
  }
  const selected = sopClassByKeyword(name)?.uid ?? (isValidUid(name) ? name : undefined)
  return selected === undefined ? undefined : (uid) => uid === selected
}

/** One line about a name that is none, with what it may have meant. */
export function selectorProblem(name: string): string {
  const known = [...SERVICE_CLASSES, C_GET, ...SOP_CLASSES.map(({ keyword }) => keyword).filter((keyword) => keyword !== '')]
  const near = nearNames(name, known)
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `service classes are ${[...SERVICE_CLASSES].sort().join(', ')}`
  return `${JSON.stringify(name)} is no keyword, UID or service class of a SOP class; ${hint}`
}

/** As `unrestrictedStorage` has it: what may be an object of somebody's own. */
function isUnlisted(uid: string): boolean {
  return isPrivateUid(uid) || sopClassByUid(uid) === undefined
}
