import type { Socket } from 'node:net'

/** The first byte of a TLS record that holds a handshake (RFC 8446 5.1). */
export const HANDSHAKE_RECORD = 0x16
/** PDU type of an A-ASSOCIATE-RQ (PS3.8 9.3.2). */
const ASSOCIATE_RQ = 0x01

/**
 * Waits for the first byte of a connection and leaves it where it is. A peer that says nothing costs no handshake.
 * @returns undefined when the connection ended, or the signal was aborted, before there was one.
 */
export function firstByte(socket: Socket, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve) => {
    const done = (byte: number | undefined): void => {
      socket.off('readable', look)
      socket.off('end', ended)
      socket.off('close', ended)
      signal.removeEventListener('abort', ended)
      resolve(byte)
    }
    const ended = (): void => done(undefined)
    const look = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) {
        // The peer closed its side; nobody reads the end event otherwise.
        if (socket.readableEnded || socket.destroyed) done(undefined)
        return
      }
      socket.unshift(chunk)
      done(chunk[0])
    }
    if (signal.aborted || socket.destroyed) {
      resolve(undefined)
      return
    }
    socket.on('close', ended)
    socket.on('end', ended)
    signal.addEventListener('abort', ended, { once: true })
    socket.on('readable', look)
  })
}

/** What a connection that does not begin as TLS is likely to be. */
export function describeFirstByte(byte: number): string {
  if (byte === ASSOCIATE_RQ) return 'plain DICOM on a TLS port: switch TLS on at the peer, or let it use the plain port'
  if (byte >= 0x41 && byte <= 0x5a) return 'it is no TLS: it looks like HTTP or text'
  return `it is no TLS: it begins with 0x${byte.toString(16).padStart(2, '0')}`
}
