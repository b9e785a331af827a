import { BlockList, isIP } from 'node:net'

/** What a `host` of a peer or rule may be. */
export type HostSpec =
  | { readonly kind: 'address'; readonly address: string; readonly prefix: number | undefined }
  | { readonly kind: 'name'; readonly name: string }

/** Labels of letters, digits and hyphens, as RFC 1123 2.1 has them; underscores occur in the field. */
const HOST_NAME = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i

/** An IPv4 peer of a listener on every address is seen as IPv6 (RFC 4291 2.5.5.2); zones say nothing about who it is. */
export function plainAddress(address: string): string {
  return address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}

/** An address, a network in CIDR notation or a host name; undefined for anything else. */
export function parseHost(text: string): HostSpec | undefined {
  const [base = '', prefixText, ...rest] = text.split('/')
  const address = plainAddress(base)
  const family = isIP(address)
  if (rest.length > 0) return undefined
  if (family === 0) {
    // Something like 10.0.0.300 or 1.2.3 is a slip, not a name.
    const isName = prefixText === undefined && HOST_NAME.test(base) && !/^[\d.]+$/.test(base)
    return isName ? { kind: 'name', name: base.toLowerCase().replace(/\.$/, '') } : undefined
  }
  if (prefixText === undefined) return { kind: 'address', address, prefix: undefined }
  const bits = family === 4 ? 32 : 128
  if (!/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits) return undefined
  return { kind: 'address', address, prefix: Number(prefixText) }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const family = isIP(address)
  if (family === 0) return undefined
  return family === 4 ? 'ipv4' : 'ipv6'
}

/** A set of addresses and networks. */
export class AddressSet {
  readonly #list = new BlockList()

  /** Host names are left out. */
  static of(hosts: Iterable<HostSpec>): AddressSet {
    const set = new AddressSet()
    for (const host of hosts) if (host.kind === 'address') set.#add(host.address, host.prefix)
    return set
  }

  static ofAddresses(addresses: Iterable<string>): AddressSet {
    const set = new AddressSet()
    for (const address of addresses) set.#add(plainAddress(address), undefined)
    return set
  }

  has(address: string): boolean {
    const family = familyOf(address)
    return family !== undefined && this.#list.check(address, family)
  }

  #add(address: string, prefix: number | undefined): void {
    const family = familyOf(address)
    if (family === undefined) return
    if (prefix === undefined) this.#list.addAddress(address, family)
    else this.#list.addSubnet(address, prefix, family)
  }
}
