import { AddressSet, parseHost } from '../addresses.ts'
import { comparableTitle, matchesPattern, titleMatcher } from '../patterns.ts'
import type { TitleComparison } from '../patterns.ts'
import type { CertificateCondition, RuleEntry, UserCondition } from '../peers-file/types.ts'
import { normalFingerprint } from './facts.ts'
import type { CertificateFacts, Facts, UserFacts } from './facts.ts'

/** `pending`: it depends on who the user is, and that is not known yet. */
export type Fit = 'yes' | 'no' | 'pending'

export type Condition = (facts: Facts) => boolean

/** Names of a certificate count when it was verified; its fingerprint always, as the key behind it was proven. */
export function certificateMatcher(condition: CertificateCondition, comparison: TitleComparison): Condition {
  const { fingerprint, subject, commonName, san, aeTitle } = condition
  const fingerprints = fingerprint === undefined ? undefined : new Set(fingerprint.map(normalFingerprint))
  const byName = [subject, commonName, san, aeTitle].some((value) => value !== undefined)
  const hasNames = (certificate: CertificateFacts, callingAeTitle: string): boolean => {
    const { subject: given, commonName: givenCommonName, names, aeTitles } = certificate
    if (subject !== undefined && !matchesPattern(subject, given)) return false
    if (commonName !== undefined && (givenCommonName === undefined || !matchesPattern(commonName, givenCommonName))) return false
    if (san !== undefined && !names.some((name) => matchesPattern(san.toLowerCase(), name.toLowerCase()))) return false
    const calling = comparableTitle(callingAeTitle, comparison)
    return aeTitle === undefined || aeTitles.some((one) => comparableTitle(one, comparison) === calling)
  }
  return ({ certificate, callingAeTitle }) => {
    if (certificate === undefined) return false
    if (fingerprints !== undefined && !fingerprints.has(certificate.fingerprint)) return false
    return !byName || (certificate.isAuthorized && hasNames(certificate, callingAeTitle))
  }
}

export function userMatcher({ name, role, claims, unproven = false }: UserCondition): (user: UserFacts | undefined) => boolean {
  const wanted = Object.entries(claims ?? {})
  return (user) => {
    if (user === undefined || (user.type === 1 && !unproven)) return false
    if (name !== undefined && !matchesPattern(name, user.user)) return false
    if (role !== undefined && !user.roles.some((one) => matchesPattern(role, one))) return false
    return wanted.every(([claim, value]) => {
      const given = Object.hasOwn(user.claims ?? {}, claim) ? user.claims?.[claim] : undefined
      return Array.isArray(given) ? given.includes(value) : given === value
    })
  }
}

/** Does a rule fit? @param groupOf the group of the peer that it is, if it is one. */
export function ruleMatcher(rule: RuleEntry, comparison: TitleComparison): (facts: Facts, group: string | undefined) => Fit {
  const conditions: Condition[] = []
  const { calling, called, address, port, secured, certificate, user, group } = rule
  if (calling !== undefined) {
    const matches = titleMatcher(calling, comparison)
    conditions.push((facts) => matches(facts.callingAeTitle))
  }
  if (called !== undefined) {
    const matches = titleMatcher(called, comparison)
    conditions.push((facts) => matches(facts.calledAeTitle))
  }
  if (address !== undefined) {
    const addresses = AddressSet.of(address.flatMap((text) => parseHost(text) ?? []))
    conditions.push((facts) => addresses.has(facts.address))
  }
  if (port !== undefined) conditions.push((facts) => port.includes(facts.port))
  if (secured !== undefined) conditions.push((facts) => facts.isSecured === secured)
  if (certificate !== undefined) conditions.push(certificateMatcher(certificate, comparison))
  const isUser = user === undefined ? undefined : userMatcher(user)
  return (facts, peerGroup) => {
    if (group !== undefined && (peerGroup === undefined || !group.includes(peerGroup))) return 'no'
    if (!conditions.every((fits) => fits(facts))) return 'no'
    if (isUser === undefined) return 'yes'
    if (facts.user === 'pending') return 'pending'
    return isUser(facts.user) ? 'yes' : 'no'
  }
}
