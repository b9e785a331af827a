import { DicomtapError } from '@dicomtap/framework'
import type { ErrorCode } from '@dicomtap/framework'
import type { Problem } from '../output/report-error.ts'

/** What went wrong in another process, as an error of this one. */
export function errorOf(problems: readonly Problem[]): Error {
  const errors = problems.map(({ code, message }) => {
    if (code !== undefined) return new DicomtapError(code as ErrorCode, message)
    // As `problemsOf` put it.
    const [, name, text] = /^(\w*Error): (.*)$/su.exec(message) ?? []
    const error = new Error(text ?? message)
    if (name !== undefined) error.name = name
    return error
  })
  const [only] = errors
  return errors.length === 1 && only !== undefined ? only : new AggregateError(errors, 'Another process of the server failed')
}
