import { Socket } from 'node:net'

/**
 * Has a socket read what there is before it closes because a write failed.
 *
 * A peer that aborts and closes with bytes of this side unread has its operating system send a reset right
 * behind the A-ABORT. A write that meets the reset fails, and Node closes the socket for it with the A-ABORT
 * unread: all that would be known is `write ECONNRESET`. One more turn of the event loop reads it.
 */
export function hearLastWords(socket: Socket): void {
  // Of a socket that a plugin made it may be another one.
  if (socket.destroy !== Socket.prototype.destroy) (socket as LateSocket)[OWN_DESTROY] = socket.destroy
  socket.destroy = destroyLate
}

const LATE = Symbol('its last words are being heard')
const OWN_DESTROY = Symbol('how it is destroyed')
type LateSocket = Socket & { [LATE]?: true; [OWN_DESTROY]?: Socket['destroy'] }

/** One function for all sockets: most close for other reasons. */
function destroyLate(this: LateSocket, error?: Error): Socket {
  const destroy = this[OWN_DESTROY] ?? Socket.prototype.destroy
  if (this[LATE] === true || !isFailedWrite(error) || this.destroyed) return destroy.call(this, error)
  this[LATE] = true
  // Between two calls of setImmediate there is a poll of the sockets.
  setImmediate(() => setImmediate(() => destroy.call(this, error)))
  return this
}

function isFailedWrite(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.syscall === 'write' && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}
