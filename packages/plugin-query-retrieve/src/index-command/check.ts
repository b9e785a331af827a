import type { CommandInvocation } from '@dicomtap/framework'
import { IndexSettings } from '../maintenance/settings.ts'
import { checkIndex, type CheckResult, type Difference, type DifferenceKind } from '../maintenance/check.ts'
import { CommandError, type OpenedFolder, withFolder } from './context.ts'
import { isEmptyFolder } from '../maintenance/walk-folder.ts'
import { counted, number, print, printable } from './output.ts'
import { startProgress } from './progress.ts'

/** Of each kind so many lines are printed; JSON has them all. */
const LISTED = 100

export function check(invocation: CommandInvocation): Promise<number> {
  return withFolder(invocation, (opened) => run(invocation, opened), invocation.options['repair'] === true ? 'write' : 'read')
}

async function run({ options, signal, stdout, stderr }: CommandInvocation, opened: OpenedFolder): Promise<number> {
  const { index, reader, reindexer, root, attributes, place } = opened
  const isJson = options['json'] === true
  if (options['repair'] === true && (await isEmptyFolder(root))) {
    throw new CommandError(`${root} has no files: is it mounted? If the index is to be empty too, delete its database`)
  }
  const progress = startProgress(stderr)
  const listed = new Map<DifferenceKind, number>()
  let differences = 0
  const written = await new IndexSettings(index).fingerprint()
  const isOutdated = written !== undefined && written !== attributes.fingerprint

  const onDifference = async (difference: Difference): Promise<void> => {
    if (isJson) return print(stdout, `${differences++ === 0 ? opening(root, place) : ',\n'}${JSON.stringify(difference)}`)
    const { kind } = difference
    const count = (listed.get(kind) ?? 0) + 1
    listed.set(kind, count)
    if (count <= LISTED) await progress.around(() => print(stdout, line(difference)))
  }
  try {
    const result = await checkIndex({
      root,
      index,
      reader,
      reindexer,
      signal,
      isDeep: options['deep'] === true,
      isRepairing: options['repair'] === true,
      onProgress: (files) => progress.at(files),
      onDifference,
      onUnreadable: ({ relativePath, code }) => {
        progress.around(() => print(stderr, `warning: the folder ${printable(relativePath)} cannot be looked at (${code})\n`)).catch(() => undefined)
      },
    })
    progress.end()
    const found = Object.values(result.counts).reduce((sum, count) => sum + count, 0)
    const isRight = found === result.repaired && !isOutdated
    if (isJson) {
      await print(stdout, `${differences === 0 ? opening(root, place) : '\n'}],${JSON.stringify({ ...result, isOutdated, ok: isRight }).slice(1)}\n`)
    } else {
      for (const [kind, count] of listed) if (count > LISTED) await print(stdout, `${kind.padEnd(9)}  and ${number(count - LISTED)} more\n`)
      await print(stdout, summary(root, result, isRight))
      if (isOutdated) await print(stdout, '  the option attributes has changed since: run dicomtap index rebuild\n')
    }
    return isRight ? 0 : 1
  } finally {
    progress.end()
  }
}

function opening(folder: string, database: string): string {
  return `${JSON.stringify({ folder, database }).slice(0, -1)},"differences":[\n`
}

function line({ kind, path, detail, isRepaired }: Difference): string {
  return `${kind.padEnd(9)}  ${printable(path)}  (${printable(detail)})${isRepaired ? ', repaired' : ''}\n`
}

function summary(root: string, { files, rows, counts, repaired, superseded }: CheckResult, isRight: boolean): string {
  const { unindexed, missing, changed, differs, unusable } = counts
  const lines = [
    `${printable(root)}: ${isRight ? 'as indexed' : 'NOT AS INDEXED'}`,
    `  ${counted(files, 'file')}, ${counted(rows, 'row')}`,
    `  ${unindexed} unindexed, ${missing} missing, ${changed} changed, ${differs} different, ${unusable} unusable`,
    ...(superseded > 0 ? [`  ${counted(superseded, 'older file')} of instances that were stored several times: they are right without a row`] : []),
    ...(repaired > 0 ? [`  ${repaired} repaired`] : []),
  ]
  return `${lines.join('\n')}\n`
}
