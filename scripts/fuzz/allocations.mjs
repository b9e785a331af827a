// Counts the bytes of the buffers that are made, as they are asked for: what a decoder allocates by a length
// that an input claims shows even when the memory is never touched.
let total = 0

export function newAllocations() {
  return total
}

/** Counts from now on. */
export function meter() {
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) {
    const original = Buffer[name]
    Buffer[name] = (size, ...rest) => {
      total += Number(size)
      return original.call(Buffer, size, ...rest)
    }
  }
  for (const name of ['Uint8Array', 'Uint16Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'ArrayBuffer']) {
    const original = globalThis[name]
    globalThis[name] = new Proxy(original, {
      construct(target, args, newTarget) {
        if (typeof args[0] === 'number') total += args[0] * (original.BYTES_PER_ELEMENT ?? 1)
        return Reflect.construct(target, args, newTarget === globalThis[name] ? target : newTarget)
      },
    })
  }
}
