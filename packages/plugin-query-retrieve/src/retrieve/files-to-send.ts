import { DicomtapError, RetrieveStatus, StatusError } from '@dicomtap/framework'
import type { FileToSend, InstanceToSend } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import { containedPath } from './contained-path.ts'
import type { StoredInstance } from './stored-instances.ts'

/**
 * What the core sends of rows. What their files say is looked at there, when it is their turn; a file that is gone
 * by then is a sub-operation that failed.
 * @throws StatusError A702 when the index cannot be read any more; what is left counts as failed
 */
export async function* filesToSend(
  { directory }: Pick<PluginContext, 'directory'>,
  instances: AsyncIterable<StoredInstance>,
  signal: AbortSignal,
): AsyncGenerator<FileToSend | InstanceToSend, void, undefined> {
  try {
    for await (const { path, ...instance } of instances) {
      const file = containedPath(directory, path)
      yield file === undefined ? outside(instance) : { ...instance, path: file }
    }
  } catch (cause) {
    // Nobody waits for more.
    if (signal.aborted) return
    throw new StatusError(RetrieveStatus.CannotPerformSubOperations, { errorComment: 'The index is not available', cause })
  }
}

function outside(instance: Omit<StoredInstance, 'path'>): InstanceToSend {
  return {
    ...instance,
    bytes() {
      throw new DicomtapError('DICOMTAP_ERR_QR_DATABASE', `The index has a path outside of the storage folder for ${instance.sopInstanceUid}`)
    },
  }
}
