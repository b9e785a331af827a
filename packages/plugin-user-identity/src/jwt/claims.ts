import type { JWTPayload } from 'jose'

/**
 * The value of a claim. A dot leads into an object, as in `realm_access.roles`, unless the whole name is a
 * claim: names may be URLs.
 */
export function claimValue(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

/** Roles in a claim: a list of names, or names separated by spaces as in `scope` (RFC 8693 4.2). */
export function rolesIn(claims: JWTPayload, name: string | undefined): readonly string[] {
  if (name === undefined) return []
  const value = claimValue(claims, name)
  const names = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  return Object.freeze([...new Set(names.filter((role): role is string => typeof role === 'string' && role !== ''))])
}
