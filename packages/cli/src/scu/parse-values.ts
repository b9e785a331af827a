import { isIP } from 'node:net'
import { InvalidArgumentError } from 'commander'

/** PS3.5 6.2, AE: 1 to 16 characters of the default repertoire, no backslash, not only spaces. */
export function parseAeTitle(text: string): string {
  const title = text.trim()
  if (!/^[\x20-\x5b\x5d-\x7e]{1,16}$/u.test(title)) {
    throw new InvalidArgumentError('An AE title has 1 to 16 characters: letters, digits, punctuation, no backslash.')
  }
  return title
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }
/** What a timer of Node can wait at most. */
const LONGEST_MS = 2_147_483_647

/** `30`, `30s`, `500ms`, `2m` in milliseconds; a number alone is seconds. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/u.exec(text.trim()) ?? []
  const duration = amount === undefined ? Infinity : Math.round(Number(amount) * (UNIT_MS[unit] ?? 0))
  if (duration > LONGEST_MS) throw new InvalidArgumentError('A time is a number of seconds, or has a unit: 30, 500ms, 2m.')
  return duration
}

/** As {@link parseDuration}; 0 and `none` are no time-out: Infinity, since commander takes null for nothing. */
export function parseTimeout(text: string): number {
  if (text.trim() === 'none') return Infinity
  const duration = parseDuration(text)
  return duration === 0 ? Infinity : duration
}

/** A parser of whole numbers from `minimum` to `maximum`. */
export function integer(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/u.test(text) || value < minimum || value > maximum) {
      const range = maximum === Number.MAX_SAFE_INTEGER ? `of ${minimum} or more` : `from ${minimum} to ${maximum}`
      throw new InvalidArgumentError(`It takes a whole number ${range}.`)
    }
    return value
  }
}

/** Bytes: `16384`, `64k`, `1M`; the units are binary. */
export function parseBytes(text: string): number {
  const [, amount, unit = ''] = /^(\d+)([km]?)$/iu.exec(text.trim()) ?? []
  if (amount === undefined) throw new InvalidArgumentError('It takes a number of bytes, e.g. 16384 or 64k.')
  return Number(amount) * (unit === '' ? 1 : unit.toLowerCase() === 'k' ? 1024 : 1_048_576)
}

/** Bytes with a binary unit up to T; 0 is no limit: Infinity. */
export function parseMaximumBytes(text: string): number {
  const [, amount, unit = ''] = /^(\d+)([kmgt]?)$/iu.exec(text.trim()) ?? []
  if (amount === undefined) throw new InvalidArgumentError('It takes a number of bytes, e.g. 500M or 20G, or 0 for no limit.')
  return Number(amount) === 0 ? Infinity : Number(amount) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase())
}

/** A number of objects; 0 is no limit: Infinity. */
export function parseMaximumObjects(text: string): number {
  return integer(0)(text) || Infinity
}

/** Addresses and networks: `10.1.2.3`, `10.1.0.0/16`, `fd00::/8`. */
export function parseNetworks(text: string, before: readonly string[] = []): readonly string[] {
  const networks = collect(text)
  for (const one of networks) {
    const [address = '', prefix, ...rest] = one.split('/')
    const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0
    if (bits === 0 || rest.length > 0 || (prefix !== undefined && (!/^\d{1,3}$/u.test(prefix) || Number(prefix) > bits))) {
      throw new InvalidArgumentError('It takes addresses or networks, e.g. 10.1.2.3 or 10.1.0.0/16.')
    }
  }
  return [...before, ...networks]
}

/** Lengths that item 0x51 can announce and that hold at least one byte of data; 0 is unlimited (PS3.8 D.1). */
export function parseMaximumPdu(text: string): number {
  const bytes = parseBytes(text)
  if (bytes !== 0 && (bytes < 7 || bytes > 0xffff_ffff)) {
    throw new InvalidArgumentError('It takes a number of bytes from 7 to 4294967295, or 0 for unlimited.')
  }
  return bytes
}

/** An IPv4 or IPv6 address, no name. */
export function parseAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('It takes an IPv4 or IPv6 address.')
  return text
}

/** For options that may be repeated, or take several values with commas between them. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  const values = text.split(',').map((one) => one.trim())
  if (values.includes('')) throw new InvalidArgumentError('It takes one or more values, with commas between them.')
  return [...before, ...values]
}
