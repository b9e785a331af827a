import { relative } from 'node:path'
import type { ScuContext } from '../scu/connect.ts'
import { UsageError } from '../scu/exit.ts'
import { createBudget } from './budget.ts'
import { createDiscardingReceiver } from './discard.ts'
import { DEFAULT_FILE_NAME, parseFileNameTemplate } from './file-name.ts'
import { createReceiver } from './receive.ts'
import type { ReceivedFile } from './receive.ts'
import type { ReceiveOptions } from './register.ts'
import type { Received } from './report-retrieval.ts'
import { printable } from './text-width.ts'

/**
 * A receiver for the folder that the options name, or with --ignore one that keeps nothing. With --verbose each
 * file or object is printed.
 *
 * @throws UsageError when the folder cannot be made
 */
export async function receiveHere(options: ReceiveOptions, { reporter }: ScuContext): Promise<Received> {
  const { output = '.', name = DEFAULT_FILE_NAME, overwrite = false } = options
  const budget = createBudget(options.maxBytes, options.maxObjects)
  const onFailure = (message: string): void => reporter.warn(`${reporter.paint.err('red', 'error')}: ${message}`)
  if (options.ignore === true) {
    refuseFileOptions(options)
    const onObject = (uid: string): void => {
      if (reporter.isVerbose) reporter.line(`not written: ${printable(uid)}`)
    }
    return { receiver: createDiscardingReceiver({ onObject, onFailure, budget }), budget, folder: undefined, files: [] }
  }
  const files: ReceivedFile[] = []
  const template = parseFileNameTemplate(name)
  try {
    const receiver = await createReceiver({
      folder: output,
      name: template,
      overwrite,
      budget,
      onFile(file) {
        // Kept for JSON only: of a large retrieval nothing should stay in memory.
        if (reporter.isJson) files.push(file)
        else if (reporter.isVerbose) reporter.line(`${file.isNew ? '' : 'there already: '}${relative('.', file.path)}`)
      },
      onFailure,
    })
    return { receiver, budget, folder: output, files }
  } catch (error) {
    throw new UsageError(`--output ${output}: ${(error as Error).message}`)
  }
}

function refuseFileOptions({ output, name, overwrite }: ReceiveOptions): void {
  if (output === undefined && name === undefined && overwrite !== true) return
  throw new UsageError('--output, --name and --overwrite are for what is written: --ignore writes nothing')
}
