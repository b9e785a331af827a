import type { FuzzTarget } from './target.ts'

const PATH = [0xd1, 0x3c, 0x7e] as const

/**
 * What a fuzzer must find, to show that it can: flaws behind three bytes that nobody guesses at once, of each
 * kind that is looked for. Not among the targets; `npm run fuzz` starts with it.
 */
export const canary: FuzzTarget & { readonly flaws: readonly RegExp[] } = {
  name: 'canary',
  flaws: [/TypeError: the canary/, /buffers of \d+ bytes were made/, /\d+ blocks were executed/],
  limits: { maximumInputBytes: 1_024, freeBytes: 4_096, blocksPerByte: 20, memoryPerByte: 8 },
  seeds: () => [Buffer.alloc(8)],
  run(input) {
    if (input[0] !== PATH[0]) return
    if (input[1] !== PATH[1]) return
    if (input[2] !== PATH[2]) return
    if (input[3] === 0xa1) throw new TypeError('the canary')
    if (input[3] === 0xa2 && input.length > 5) Buffer.alloc(input.readUInt16BE(4))
    if (input[3] !== 0xa3) return
    for (let left = input.length ** 2; left > 0; left--) if (input[left % 7] === 0xff) return
  },
}
