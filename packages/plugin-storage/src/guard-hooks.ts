import { guardTaps, type Logger, type Operation } from '@dicomtap/framework'
import type { FilePathInfo, StorageHooks, StoredInstance } from './hooks.ts'

const operations = new WeakMap<FilePathInfo | StoredInstance, Operation>()

/** What handlers are asked about belongs to this operation: it is they who hold it up when they do not answer. */
export function isAskedFor<T extends FilePathInfo | StoredInstance>(subject: T, operation: Operation): T {
  operations.set(subject, operation)
  return subject
}

/** Handlers that throw, reject or do not answer in time are logged by their name, and not as this plugin. */
export function guardStorageHooks({ filePath, instanceStored, studyCompleted, instanceRemoved, instanceRestored }: StorageHooks, log: Logger, timeoutMs: number | null): void {
  guardTaps(filePath, { log, timeoutMs, operationOf: (_path: string, info: FilePathInfo) => operations.get(info) })
  guardTaps(instanceStored, { log, timeoutMs, operationOf: (instance: StoredInstance) => operations.get(instance) })
  guardTaps(studyCompleted, { log, timeoutMs })
  guardTaps(instanceRemoved, { log, timeoutMs })
  guardTaps(instanceRestored, { log, timeoutMs })
}
