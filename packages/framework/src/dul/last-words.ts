import type { Socket } from 'node:net'

/**
 * Has a socket read what there is before it closes because a write failed.
 *
 * A peer that aborts and closes with bytes of this side unread has its operating system send a reset right
 * behind the A-ABORT. A write that meets the reset fails, and Node closes the socket for it with the A-ABORT
 * unread: all that would be known is `write ECONNRESET`. One more turn of the event loop reads it.
 */
export function hearLastWords(socket: Socket): void {
  const destroy = socket.destroy.bind(socket)
  let isLate = false
  socket.destroy = (error?: Error): Socket => {
    if (isLate || !isFailedWrite(error) || socket.destroyed) return destroy(error)
    isLate = true
    // Between two calls of setImmediate there is a poll of the sockets.
    setImmediate(() => setImmediate(() => destroy(error)))
    return socket
  }
}

function isFailedWrite(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.syscall === 'write' && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}
