import { isIP } from 'node:net'
import { plainAddress } from '../addresses.ts'

/** Who connected to the balancer, and where. */
export interface ProxiedEndpoints {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

export interface ProxyHeader {
  readonly version: 1 | 2
  readonly lengthBytes: number
  /** Undefined: the balancer speaks for itself (LOCAL), or does not know or tell (UNKNOWN, UNSPEC). */
  readonly endpoints: ProxiedEndpoints | undefined
}

/** A header that is none; its message goes into the log. */
export class ProxyHeaderError extends Error {
  override readonly name: string = 'ProxyHeaderError'
}

/** The longest line of version 1, with its end. */
export const MAXIMUM_V1_BYTES = 107
const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
const V2_FIXED_BYTES = 16
/** What may follow the fixed part: addresses, and TLVs such as those about TLS. */
export const MAXIMUM_V2_REST_BYTES = 4_096
const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1')

/**
 * The header at the start of a connection.
 * @returns undefined: it is not all there yet.
 * @throws ProxyHeaderError as soon as it cannot become one.
 */
export function parseProxyHeader(bytes: Buffer, versions: readonly number[] = [1, 2]): ProxyHeader | undefined {
  if (bytes.length === 0) return undefined
  if (startsAs(bytes, V2_SIGNATURE) && versions.includes(2)) return parseVersion2(bytes)
  if (startsAs(bytes, V1_SIGNATURE) && versions.includes(1)) return parseVersion1(bytes)
  throw new ProxyHeaderError('it does not start with a PROXY protocol header')
}

/** As far as they are there the bytes are those of the signature. */
function startsAs(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.subarray(0, length).equals(signature.subarray(0, length))
}

function parseVersion1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, MAXIMUM_V1_BYTES).indexOf('\r\n')
  if (end === -1) {
    if (bytes.length >= MAXIMUM_V1_BYTES) throw new ProxyHeaderError('the line of version 1 is too long')
    return undefined
  }
  const words = bytes.toString('latin1', 0, end).split(' ')
  const lengthBytes = end + 2
  // What follows UNKNOWN is not to be looked at.
  if (words[1] === 'UNKNOWN') return { version: 1, lengthBytes, endpoints: undefined }
  const [, protocol, source = '', destination = '', sourcePort = '', destinationPort = ''] = words
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : undefined
  if (words.length !== 6 || family === undefined || isIP(source) !== family || isIP(destination) !== family) {
    throw new ProxyHeaderError('the line of version 1 is malformed')
  }
  const [remotePort, localPort] = [portOf(sourcePort), portOf(destinationPort)]
  if (remotePort === undefined || localPort === undefined) throw new ProxyHeaderError('a port in the line of version 1 is none')
  return {
    version: 1,
    lengthBytes,
    endpoints: { remoteAddress: plainAddress(source), remotePort, localAddress: plainAddress(destination), localPort },
  }
}

function portOf(text: string): number | undefined {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

/** Bytes of the addresses by family: AF_INET, AF_INET6, AF_UNIX. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 }
const STREAM = 1

function parseVersion2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length > 12) {
    const versionAndCommand = bytes.readUInt8(12)
    if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) throw new ProxyHeaderError('version or command of version 2 is not known')
  }
  if (bytes.length < V2_FIXED_BYTES) return undefined
  const isLocal = bytes.readUInt8(12) === 0x20
  const family = bytes.readUInt8(13) >> 4
  const protocol = bytes.readUInt8(13) & 0x0f
  const restBytes = bytes.readUInt16BE(14)
  if (restBytes > MAXIMUM_V2_REST_BYTES) throw new ProxyHeaderError(`version 2 announces ${restBytes} bytes`)
  const addressBytes = ADDRESS_BYTES[family]
  if (!isLocal && (addressBytes === undefined || protocol > 2)) throw new ProxyHeaderError('the address family of version 2 is not known')
  if (!isLocal && addressBytes !== undefined && restBytes < addressBytes) throw new ProxyHeaderError('the addresses of version 2 are cut off')
  const lengthBytes = V2_FIXED_BYTES + restBytes
  if (bytes.length < lengthBytes) return undefined
  const isTcp = protocol === STREAM && (family === 1 || family === 2)
  if (isLocal || !isTcp) return { version: 2, lengthBytes, endpoints: undefined }
  return { version: 2, lengthBytes, endpoints: family === 1 ? ipv4Endpoints(bytes) : ipv6Endpoints(bytes) }
}

function ipv4Endpoints(bytes: Buffer): ProxiedEndpoints {
  const address = (at: number): string => bytes.subarray(at, at + 4).join('.')
  return { remoteAddress: address(16), localAddress: address(20), remotePort: bytes.readUInt16BE(24), localPort: bytes.readUInt16BE(26) }
}

function ipv6Endpoints(bytes: Buffer): ProxiedEndpoints {
  return {
    remoteAddress: ipv6Text(bytes.subarray(16, 32)),
    localAddress: ipv6Text(bytes.subarray(32, 48)),
    remotePort: bytes.readUInt16BE(48),
    localPort: bytes.readUInt16BE(50),
  }
}

/** RFC 5952, by way of the URL parser; an IPv4-mapped address as IPv4. */
function ipv6Text(bytes: Buffer): string {
  const isMapped = bytes.subarray(0, 12).equals(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]))
  if (isMapped) return bytes.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
