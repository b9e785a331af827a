import { Lockout } from './lockout.ts'
import type { LockoutRules } from './lockout.ts'

/** What came of a verification. */
export type Outcome = 'succeeded' | 'failed' | 'uncounted'

export interface Settled {
  /** Others failed meanwhile: it is refused whatever came of it. */
  readonly isLocked: boolean
  /** This failure locked it. */
  readonly locksUser: boolean
  readonly locksAddress: boolean
}

/** The failures of all processes of a server. */
export class SharedLockout {
  readonly #lockout: Lockout

  constructor(lockout: Lockout) {
    this.#lockout = lockout
  }

  isLocked(_caller: string, address: string, name: string | null): boolean {
    return this.#lockout.isLocked('address', address) || (name !== null && this.#lockout.isLocked('user', name))
  }

  /** In one step: guesses at the same time, by whichever process, are worth no more than guesses in turn. */
  settle(caller: string, address: string, name: string | null, outcome: Outcome): Settled {
    const isLocked = this.isLocked(caller, address, name)
    if (isLocked || outcome === 'uncounted') return { isLocked, locksUser: false, locksAddress: false }
    if (outcome === 'succeeded') {
      if (name !== null) this.#lockout.succeeded(name)
      return { isLocked: false, locksUser: false, locksAddress: false }
    }
    const locksUser = name !== null && this.#lockout.failed('user', name)
    return { isLocked: false, locksUser, locksAddress: this.#lockout.failed('address', address) }
  }
}

export function createSharedState(rules: LockoutRules): SharedLockout {
  return new SharedLockout(new Lockout(rules))
}
