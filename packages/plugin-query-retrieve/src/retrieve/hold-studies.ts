import type { Operation } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'

/**
 * Keeps studies from retention until an operation is over: what was pulled may wait to be sent long after the last row
 * was read.
 */
export function studyHolder({ api, studiesInUse }: PluginContext, sopClasses: readonly string[]): (operation: Operation, studyInstanceUids: Iterable<string>) => void {
  const releases = new WeakMap<Operation, () => void>()
  api.hooks.operationCompleted.tap({ sopClasses }, ({ operation }) => {
    releases.get(operation)?.()
  })
  return (operation, studyInstanceUids) => {
    releases.set(operation, studiesInUse.hold(new Set(studyInstanceUids)))
  }
}
