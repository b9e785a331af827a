import test from 'ava'
import fc from 'fast-check'
import { ProxyHeaderError, parseProxyHeader } from '../dist/proxy-protocol/parse.js'
import type { ProxyHeader } from '../dist/proxy-protocol/parse.js'

const numRuns = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 2_000)

function outcomeOf(bytes: Buffer): ProxyHeader | undefined | string {
  try {
    return parseProxyHeader(bytes)
  } catch (error) {
    if (error instanceof ProxyHeaderError) return 'refused'
    throw error
  }
}

const start = fc.constantFrom('0d0a0d0a000d0a515549540a', '0d0a0d0a000d0a515549540a2111', '0d0a0d0a000d0a515549540a2121000c', '50524f585920', '50524f58592054435034', '')
const input = fc.tuple(start, fc.uint8Array({ maxLength: 400 })).map(([hex, rest]) => Buffer.concat([Buffer.from(hex, 'hex'), rest]))

test('any bytes: a header, no header yet, or none; and the same whatever the pieces', (t) => {
  fc.assert(
    fc.property(input, fc.nat(), (bytes, cut) => {
      const whole = outcomeOf(bytes)
      if (whole === undefined) return bytes.length < 16 + 4_096
      const part = outcomeOf(bytes.subarray(0, cut % (bytes.length + 1)))
      // Less is the same, or not enough to tell.
      if (part !== undefined && JSON.stringify(part) !== JSON.stringify(whole)) return false
      if (typeof whole === 'string') return true
      return whole.lengthBytes <= bytes.length && (whole.endpoints === undefined || (whole.endpoints.remotePort <= 65_535 && whole.endpoints.remoteAddress !== ''))
    }),
    { numRuns },
  )
  t.pass()
})

const port = fc.integer({ min: 0, max: 65_535 })

test('what a balancer writes is read', (t) => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), port, port, (source, destination, sourcePort, destinationPort) => {
      const line = Buffer.from(`PROXY TCP4 ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`)
      const fixed = Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex')
      const ports = Buffer.alloc(4)
      ports.writeUInt16BE(sourcePort)
      ports.writeUInt16BE(destinationPort, 2)
      const binary = Buffer.concat([fixed, Buffer.from(source.split('.').map(Number)), Buffer.from(destination.split('.').map(Number)), ports])
      const expected = { remoteAddress: source, localAddress: destination, remotePort: sourcePort, localPort: destinationPort }
      return [line, binary].every((bytes) => JSON.stringify(sorted(parseProxyHeader(bytes)?.endpoints)) === JSON.stringify(sorted(expected)))
    }),
    { numRuns },
  )
  t.pass()
})

function sorted(values: object | undefined): [string, unknown][] {
  return Object.entries(values ?? {}).sort(([a], [b]) => a.localeCompare(b))
}
