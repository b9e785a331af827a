import { InvalidArgumentError } from 'commander'
import { parseAeTitle } from './parse-values.ts'

/** Whom to associate with, as the command line names it. */
export interface Target {
  readonly host: string
  /** Undefined: 104, the well-known port of DICOM, or with TLS 2762 (PS3.8 9.1.1, PS3.15 B.1). */
  readonly port: number | undefined
  readonly calledAeTitle?: string
}

export const DEFAULT_TARGET_PORT = 104
export const DEFAULT_TLS_PORT = 2762

/** `host`, `host:port`, `[::1]:port`, each with `AET@` before it or not. */
export function parseTarget(text: string): Target {
  const at = text.lastIndexOf('@')
  const title = at === -1 ? {} : { calledAeTitle: parseAeTitle(text.slice(0, at)) }
  const address = text.slice(at + 1)
  const match = /^(?:\[(?<bracketed>[^[\]]*)\]|(?<plain>[^[\]:]*))(?::(?<port>[^:]*))?$/u.exec(address)?.groups
  if (match === undefined) {
    throw new InvalidArgumentError(
      /^[\da-f:.]*$/iu.test(address) ? `Write an IPv6 address in brackets: [${address}]:104.` : 'Write it as host:port, e.g. pacs.example.org:104.',
    )
  }
  const host = match['bracketed'] ?? match['plain'] ?? ''
  if (host === '') throw new InvalidArgumentError('The host is missing: write host:port, e.g. pacs.example.org:104.')
  if (/[\s/\\]/u.test(host)) throw new InvalidArgumentError('A host name has no spaces and no slashes: write host:port, e.g. pacs.example.org:104.')
  const { port } = match
  if (port === undefined) return { host, port: undefined, ...title }
  if (!/^\d{1,5}$/u.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError('The port must be a number from 1 to 65535.')
  }
  return { host, port: Number(port), ...title }
}
