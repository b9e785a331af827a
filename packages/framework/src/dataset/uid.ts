import { randomUUID } from 'node:crypto'

/**
 * A new UID that nobody else has, without a registered root: 2.25 and a random UUID as a number (PS3.5 B.2).
 * For instances that an SCP names, transactions and the like.
 *
 * @example
 * createUid() // '2.25.182938470023947103847298374650193847562'
 */
export function createUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`
}
