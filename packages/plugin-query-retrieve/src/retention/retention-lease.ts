import { randomUUID } from 'node:crypto'
import type { InstanceIndex } from '../database/instance-index.ts'

const NAME = 'retention.lease'
const LEASE_MS = 5 * 60_000

/**
 * Of the processes on one index, one deletes at a time: two would look for the same studies. It is an entry among the
 * settings with a time at which it ends by itself. Clocks that differ by minutes, or a process that was stopped for
 * as long, may let two in; that costs work twice, and no harm.
 */
export class RetentionLease {
  readonly #index: InstanceIndex
  readonly #nowMs: () => number
  readonly #owner = randomUUID()
  #value: string | undefined

  constructor(index: InstanceIndex, nowMs: () => number = Date.now) {
    this.#index = index
    this.#nowMs = nowMs
  }

  /** Takes it, or renews it; false while another process has it. */
  async take(): Promise<boolean> {
    const current = await this.#index.setting(NAME)
    const isFree = current === undefined || current === this.#value || endOf(current) <= this.#nowMs()
    if (!isFree) return false
    const value = `${this.#nowMs() + LEASE_MS} ${this.#owner}`
    const isTaken = current === undefined ? await this.#insert(value) : await this.#replace(current, value)
    this.#value = isTaken ? value : undefined
    return isTaken
  }

  /** Renews it when half of its time is over; false when another process has it now. */
  async renew(): Promise<boolean> {
    const value = this.#value
    return value !== undefined && (endOf(value) - this.#nowMs() > LEASE_MS / 2 || (await this.take()))
  }

  async release(): Promise<void> {
    const value = this.#value
    this.#value = undefined
    if (value !== undefined) await this.#index.database.deleteFrom('setting').where('name', '=', NAME).where('value', '=', value).execute()
  }

  async #insert(value: string): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#index.database
      .insertInto('setting')
      .values({ name: NAME, value })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  async #replace(current: string, value: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#index.database
      .updateTable('setting')
      .set({ value })
      .where('name', '=', NAME)
      .where('value', '=', current)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }
}

/** When a lease ends, in milliseconds since 1970. What cannot be read has ended. */
function endOf(value: string): number {
  const endMs = Number.parseInt(value, 10)
  return Number.isNaN(endMs) ? 0 : endMs
}
