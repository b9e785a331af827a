import { relative } from 'node:path'
import type { ScuContext } from '../scu/connect.ts'
import { UsageError } from '../scu/exit.ts'
import { DEFAULT_FILE_NAME, parseFileNameTemplate } from './file-name.ts'
import { createReceiver } from './receive.ts'
import type { ReceivedFile } from './receive.ts'
import type { ReceiveOptions } from './register.ts'
import type { Received } from './report-retrieval.ts'

/**
 * A receiver for the folder that the options name. With --verbose each file is printed.
 *
 * @throws UsageError when the folder cannot be made
 */
export async function receiveHere(options: ReceiveOptions, { reporter }: ScuContext): Promise<Received> {
  const { output = '.', name = DEFAULT_FILE_NAME, overwrite = false } = options
  const files: ReceivedFile[] = []
  const template = parseFileNameTemplate(name)
  try {
    const receiver = await createReceiver({
      folder: output,
      name: template,
      overwrite,
      onFile(file) {
        // Kept for JSON only: of a large retrieval nothing should stay in memory.
        if (reporter.isJson) files.push(file)
        else if (reporter.isVerbose) reporter.line(`${file.isNew ? '' : 'there already: '}${relative('.', file.path)}`)
      },
      onFailure: (message) => reporter.warn(`${reporter.paint.err('red', 'error')}: ${message}`),
    })
    return { receiver, folder: output, files }
  } catch (error) {
    throw new UsageError(`--output ${output}: ${(error as Error).message}`)
  }
}
