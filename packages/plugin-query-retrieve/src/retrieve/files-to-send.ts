import { DicomtapError, RetrieveStatus, StatusError } from '@dicomtap/framework'
import type { FileToSend, InstanceToSend } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import { ContainedFiles } from '../contained-path.ts'
import type { StoredInstance } from './stored-instances.ts'

/** Of so many rows it is looked at once where their files are. */
const AT_ONCE = 64

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
  const files = new ContainedFiles(directory)
  try {
    for await (const some of together(instances, AT_ONCE)) {
      const paths = await Promise.all(some.map(({ path }) => files.resolveFolder(path)))
      for (const [index, { path: _, ...instance }] of some.entries()) {
        const file = paths[index]
        yield file === undefined ? outside(instance) : { ...instance, path: file, followsLinks: false }
      }
    }
  } catch (cause) {
    // Nobody waits for more.
    if (signal.aborted) return
    throw new StatusError(RetrieveStatus.CannotPerformSubOperations, { errorComment: 'The index is not available', cause })
  }
}

/** So many at once, or as many as there were before it failed. */
async function* together<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<readonly T[], void, undefined> {
  let some: T[] = []
  let failure: { readonly error: unknown } | undefined
  try {
    for await (const item of items) {
      some.push(item)
      if (some.length < count) continue
      yield some
      some = []
    }
  } catch (error) {
    failure = { error }
  }
  if (some.length > 0) yield some
  if (failure !== undefined) throw failure.error
}

function outside(instance: Omit<StoredInstance, 'path'>): InstanceToSend {
  return {
    ...instance,
    bytes() {
      throw new DicomtapError('DICOMTAP_ERR_QR_DATABASE', `The index has a path outside of the storage folder for ${instance.sopInstanceUid}`)
    },
  }
}
