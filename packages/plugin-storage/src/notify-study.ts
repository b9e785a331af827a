import type { Logger } from '@dicomtap/framework'
import type { CompletedStudy, StorageHooks } from './hooks.ts'

type StudyTap = StorageHooks['studyCompleted']['taps'][number]

/** Tells every tap of `studyCompleted`, one after the other, and logs those that fail. */
export async function notifyStudyCompleted(hook: StorageHooks['studyCompleted'], study: CompletedStudy, log: Logger): Promise<void> {
  for (const tap of hook.taps) {
    try {
      await callTap(tap, study)
    } catch (error) {
      log.error('a handler of studyCompleted failed', { tap: tap.name, error })
    }
  }
}

function callTap(tap: StudyTap, study: CompletedStudy): unknown {
  if (tap.type !== 'async') return (tap.fn as (study: CompletedStudy) => unknown)(study)
  return new Promise<void>((resolve, reject) => {
    ;(tap.fn as (study: CompletedStudy, done: (error?: Error | null) => void) => void)(study, (error) => {
      if (error === undefined || error === null) resolve()
      else reject(error)
    })
  })
}
