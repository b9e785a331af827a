import type { CommandInvocation } from '@dicomtap/framework'
import { rebuildIndex } from '../maintenance/rebuild.ts'
import { isEmptyFolder, walkFolder } from '../maintenance/walk-folder.ts'
import { CommandError, type OpenedFolder, withFolder } from './context.ts'
import { counted, number, print, printable } from './output.ts'
import { type Progress, startProgress } from './progress.ts'

/** Of files that cannot be indexed so many are kept for the JSON object, and printed. */
const MAXIMUM_LISTED = 1000

export function rebuild(invocation: CommandInvocation): Promise<number> {
  return withFolder(invocation, (opened) => run(invocation, opened), 'make')
}

async function run({ options, signal, stdout, stderr }: CommandInvocation, { index, reindexer, attributes, root, place }: OpenedFolder): Promise<number> {
  const isJson = options['json'] === true
  if (await isEmptyFolder(root)) throw new CommandError(`${root} has no files: is it mounted? What the index has stays there`)
  const startMs = performance.now()
  const listed: { readonly path: string; readonly reason: string }[] = []
  const state: { resumedAt: number; progress?: Progress } = { resumedAt: 0 }
  const shown = (): Progress => (state.progress ??= startProgress(stderr, state.resumedAt))
  let unlisted = 0
  let printing = Promise.resolve()
  const list = (path: string, reason: string): void => {
    if (listed.length >= MAXIMUM_LISTED) {
      unlisted += 1
      return
    }
    listed.push({ path, reason })
    if (!isJson) printing = printing.then(() => shown().around(() => print(stdout, `unusable   ${printable(path)}  (${printable(reason)})\n`)))
  }
  const counting = new AbortController()
  try {
    const working = rebuildIndex({
      root,
      index,
      reindexer,
      fingerprint: attributes.fingerprint,
      signal,
      isRestarted: options['restart'] === true,
      onResumed: ({ files }) => {
        state.resumedAt = files
        if (!isJson && files > 0) stderr.write(`It goes on behind the ${counted(files, 'file')} of the run that was broken off; --restart begins anew.\n`)
      },
      onProgress: (files) => shown().at(files),
      onUnusable: list,
      onUnreadable: ({ relativePath, code }) => list(relativePath, `the folder cannot be looked at (${code})`),
    })
    void countFiles(root, counting.signal).then((files) => files === undefined || shown().total(files))
    const result = await working
    await printing
    state.progress?.end()
    const isRight = result.unusable === 0 && listed.length === 0
    if (isJson) {
      await print(stdout, `${JSON.stringify({ ok: isRight, folder: root, database: place, resumedAt: state.resumedAt, ...result, unusableFiles: listed, seconds: Math.round(performance.now() - startMs) / 1000 })}\n`)
    } else {
      if (unlisted > 0) await print(stdout, `unusable   and ${number(unlisted)} more\n`)
      await print(stdout, summary(root, result))
    }
    return isRight ? 0 : 1
  } catch (error) {
    state.progress?.end()
    if (signal.aborted) stderr.write('Broken off. The same command goes on where it stopped.\n')
    throw error
  } finally {
    counting.abort()
    state.progress?.end()
  }
}

/** Beside the work, so that it can be told what is left. */
async function countFiles(root: string, signal: AbortSignal): Promise<number | undefined> {
  let files = 0
  try {
    for await (const _file of walkFolder({ root, signal, onUnreadable: () => undefined })) files += 1
    return files
  } catch {
    return undefined
  }
}

function summary(root: string, { files, indexed, superseded, unusable, removed }: Awaited<ReturnType<typeof rebuildIndex>>): string {
  const lines = [
    `${printable(root)}: ${counted(files, 'file')}, ${counted(indexed, 'instance')} indexed`,
    ...(superseded > 0 ? [`  ${counted(superseded, 'older file')} of instances that were stored several times`] : []),
    ...(removed > 0 ? [`  ${counted(removed, 'row')} without a file forgotten`] : []),
    ...(unusable > 0 ? [`  ${counted(unusable, 'file')} cannot be indexed`] : []),
  ]
  return `${lines.join('\n')}\n`
}
