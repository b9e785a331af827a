import type { ApplicationEntity } from '../application-entity.ts'
import { messageOf } from '../errors/index.ts'
import type { CannedMessage } from './canned-messages.ts'
import { Pace } from './pace.ts'
import { Rehearsal } from './rehearsal.ts'
import { rehearseRound } from './script.ts'
import type { Rehearsed } from './script.ts'

const DEFAULT_BUDGET_MS = 3000
const DEFAULT_ROUNDS = 60
const PATIENCE_MS = 60_000
/**
 * As many private ones, in turn: what has only been run with one object of a kind is compiled for that very object, and
 * thrown away when the real one comes.
 */
const REHEARSALS = 2

/** What `ApplicationEntity.warmUp` takes. */
export interface WarmUpOptions {
  /** Processor time that it may use, in milliseconds, of all threads together. Default 3000. */
  readonly budgetMs?: number
  /** How often everything is rehearsed at most. Default 60. */
  readonly rounds?: number
}

/** What a warm-up came to. */
export interface WarmUpResult {
  readonly associations: number
  readonly echoes: number
  readonly objects: number
  /** Processor time that it used, in milliseconds. */
  readonly spentMs: number
  /** Why there was not more of it; undefined when it ended as meant. */
  readonly error: Error | undefined
}

export interface RehearsalParts {
  /** The one that is warmed up. */
  readonly applicationEntity: ApplicationEntity
  /** One like it that nobody knows of: nothing is tapped, nothing listens, nothing is logged. */
  readonly createRehearsal: () => ApplicationEntity
  readonly isIdle: () => boolean
  /** Aborted when the ApplicationEntity closes. */
  readonly signal: AbortSignal
}

/**
 * Has private ApplicationEntities do what the real one will have to do, so that V8 compiles the code that all run
 * before anybody waits for it: the first thousands of messages cost five times as much as the later ones otherwise.
 * Nothing of the real one is touched; what plugins want rehearsed they add to the private ones, in the hook `warmUp`.
 * It never rejects.
 */
export async function rehearse(parts: RehearsalParts, { budgetMs = DEFAULT_BUDGET_MS, rounds = DEFAULT_ROUNDS }: WarmUpOptions): Promise<WarmUpResult> {
  const { isIdle, signal, applicationEntity } = parts
  const pace = new Pace({ isIdle, budgetMs, patienceMs: PATIENCE_MS, signal })
  const done = { associations: 0, echoes: 0, objects: 0 }
  let error: Error | undefined
  try {
    // The first peer of a new server is not to wait for this.
    await pace.untilIdle()
    if (!pace.isOver) await perform(parts, pace, rounds, done)
  } catch (thrown) {
    if (!signal.aborted) {
      error = new Error(messageOf(thrown), { cause: thrown })
      applicationEntity.log.debug('the warm-up ended early', { error })
    }
  }
  return { ...done, spentMs: pace.spentMs, error }
}

async function perform(parts: RehearsalParts, pace: Pace, rounds: number, done: Rehearsed): Promise<void> {
  const { applicationEntity, createRehearsal, signal } = parts
  const rehearsals: Rehearsal[] = []
  const made = new Map<string, CannedMessage>()
  const hangUp = (): void => {
    for (const rehearsal of rehearsals) rehearsal.hangUp()
  }
  signal.addEventListener('abort', hangUp, { once: true })
  try {
    while (rehearsals.length < REHEARSALS && !pace.isOver) {
      const rehearsal = new Rehearsal(createRehearsal())
      rehearsals.push(rehearsal)
      await rehearsal.open(applicationEntity, signal)
      await pace.step()
    }
    for (let round = 0; round < rounds && !pace.isOver; round++) {
      const rehearsal = rehearsals[round % REHEARSALS] as Rehearsal
      await rehearseRound({ pace, done, rehearsal, made }, Math.floor(round / REHEARSALS))
    }
  } finally {
    signal.removeEventListener('abort', hangUp)
    await Promise.all(rehearsals.map((rehearsal) => rehearsal.close()))
  }
}
