// Changes of an input. They know nothing of DICOM but that lengths stand before what they count.

const INTERESTING = [0x00, 0x01, 0x02, 0x04, 0x07, 0x10, 0x20, 0x40, 0x50, 0x5c, 0x7f, 0x80, 0xfe, 0xff]
const SIZES = [1, 2, 2, 4, 4]

/**
 * @param {import('../../packages/framework/test/support/random.ts').Random} random
 * @param {readonly Buffer[]} words bytes that the code under test compares its input with
 */
export function makeMutator(random, words) {
  const place = (bytes) => random.below(bytes.length + 1)
  const splice = (bytes, at, removed, inserted) =>
    Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(Math.min(bytes.length, at + removed))])

  /** As `splice`; then lengths before it that reach over it are told. */
  const spliceCounted = (bytes, at, removed, inserted) => {
    const out = splice(bytes, at, removed, inserted)
    const delta = out.length - bytes.length
    if (delta === 0) return out
    for (let field = Math.max(0, at - 200); field < at; field++) {
      for (const [size, read, write] of FIELDS) {
        if (field + size > at) continue
        const length = bytes[read](field)
        const end = field + size + length
        if (length > 0 && end >= at + removed && end <= bytes.length && length + delta >= 0 && random.below(4) > 0) {
          if (length + delta < 2 ** (8 * size)) out[write](length + delta, field)
        }
      }
    }
    return out
  }

  const mutations = [
    (bytes) => {
      if (bytes.length === 0) return random.bytes(4)
      const at = random.below(bytes.length)
      bytes[at] ^= 1 << random.below(8)
      return bytes
    },
    (bytes) => {
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(2) === 0 ? random.one(INTERESTING) : random.below(256)
      return bytes
    },
    // A number becomes another one: one of the borders, a little more or less, or what is left.
    (bytes) => {
      const size = random.one(SIZES)
      if (bytes.length < size) return bytes
      const at = random.below(bytes.length - size + 1)
      const isBig = random.below(2) === 0
      const old = isBig ? bytes.readUIntBE(at, size) : bytes.readUIntLE(at, size)
      const most = 2 ** (8 * size)
      const left = bytes.length - at - size
      const value = random.one([0, 1, most - 1, most / 2, most / 2 - 1, old + 1, old - 1, old + random.below(16), left, left + 1, left - 1, left - random.below(64)])
      const wrapped = ((value % most) + most) % most
      if (isBig) bytes.writeUIntBE(wrapped, at, size)
      else bytes.writeUIntLE(wrapped, at, size)
      return bytes
    },
    (bytes) => {
      const at = place(bytes)
      const word = random.one(words)
      return random.below(2) === 0 ? spliceCounted(bytes, at, 0, word) : splice(bytes, at, word.length, word)
    },
    (bytes) => spliceCounted(bytes, place(bytes), 0, random.bytes(1 + random.below(16))),
    (bytes) => spliceCounted(bytes, place(bytes), 1 + random.below(random.one([2, 8, 64])), Buffer.alloc(0)),
    // A piece of it once more, somewhere.
    (bytes) => {
      const from = place(bytes)
      const piece = bytes.subarray(from, from + 1 + random.below(random.one([8, 32, 256])))
      return spliceCounted(bytes, place(bytes), 0, piece)
    },
    // The same many times.
    (bytes) => {
      const from = place(bytes)
      const piece = bytes.subarray(from, from + 1 + random.below(random.one([4, 24])))
      return spliceCounted(bytes, from, 0, Buffer.concat(Array.from({ length: 1 + random.below(40) }, () => piece)))
    },
    (bytes) => bytes.subarray(0, place(bytes)),
    (bytes, other) => Buffer.concat([bytes.subarray(0, place(bytes)), other.subarray(place(other))]),
    (bytes, other) => {
      const from = place(other)
      return spliceCounted(bytes, place(bytes), 0, other.subarray(from, from + 1 + random.below(128)))
    },
  ]

  /** A changed copy of `input`; `other` is one to take pieces from. */
  return (input, other, maximumBytes) => {
    let bytes = Buffer.from(input)
    for (let count = random.one([1, 1, 1, 2, 2, 3, 5, 8]); count > 0; count--) bytes = Buffer.from(random.one(mutations)(bytes, other))
    return bytes.subarray(0, maximumBytes)
  }
}

const FIELDS = [
  [2, 'readUInt16BE', 'writeUInt16BE'],
  [2, 'readUInt16LE', 'writeUInt16LE'],
  [4, 'readUInt32BE', 'writeUInt32BE'],
  [4, 'readUInt32LE', 'writeUInt32LE'],
]
