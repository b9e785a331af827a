import type { CompletedStudy, StorageHooks } from './hooks.ts'

type StudyTap = StorageHooks['studyCompleted']['taps'][number]

/** Tells every tap of `studyCompleted`, one after the other. */
export async function notifyStudyCompleted(hook: StorageHooks['studyCompleted'], study: CompletedStudy): Promise<void> {
  for (const tap of hook.taps) {
    try {
      await callTap(tap, study)
    } catch {
      // Its guard has logged it.
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
