import { type CommandDefinition, type CommandInvocation, defineCommand, DicomtapError } from '@dicomtap/framework'
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { type FileSystem, nodeFileSystem, statusOf, systemCode } from './file-system.ts'
import type { ResolvedStorageOptions } from './options.ts'
import { RESERVED_FOLDER } from './path-template.ts'
import { RecordAcceptor } from './verify/accept.ts'
import type { FileProblem } from './verify/check-file.ts'
import { jsonReport, textReport } from './verify/report.ts'
import { Verification } from './verify/verify.ts'
import { walkFiles } from './verify/walk.ts'

const PARALLEL = 4

/** `dicomtap verify`: compares stored files with what was recorded of them. */
export const command: CommandDefinition = defineCommand({
  name: 'verify',
  summary: 'Compare stored files with the sizes and SHA-256 digests that were recorded of them.',
  arguments: [{ name: '[folder]', description: 'storage folder; default: that of the configuration' }],
  options: [
    { flags: '--quick', description: 'compare sizes only, read nothing' },
    { flags: '--strict', description: 'files of which nothing is recorded count as wrong' },
    { flags: '--accept <kind>', description: 'record what is there now: files of this kind are right as they are', choices: ['missing', 'changed', 'unrecorded'] },
    { flags: '--json', description: 'print one JSON object' },
  ],
  help: `
Exit code 0: every recorded object is there, whole. 1: something is missing, changed or cannot be read.
The server may go on storing meanwhile.

Examples:
  dicomtap verify
  dicomtap verify ./data --quick
  dicomtap verify --accept missing        after studies were deleted on purpose
  dicomtap verify --accept unrecorded     of a folder that was filled before there were records`,
  run: (invocation) => verify(invocation),
})

/**
 * @param fileSystem default: the operating system's.
 * @param startedAtMs default: now.
 */
export async function verify(invocation: CommandInvocation, fileSystem: FileSystem = nodeFileSystem, startedAtMs: number = Date.now()): Promise<number> {
  const { options, signal, stdout, stderr } = invocation
  const root = await rootOf(await folderOf(invocation))
  const recordDirectory = path.join(root, RESERVED_FOLDER, 'records')
  const accepted = options['accept'] as FileProblem['kind'] | undefined
  if (accepted !== 'unrecorded') await requireRecords(fileSystem, recordDirectory, root)
  const acceptor = accepted === undefined ? undefined : new RecordAcceptor({ fileSystem, root, recordDirectory, signal })
  const report = (options['json'] === true ? jsonReport : textReport)({ folder: root, stdout, stderr })
  let wrong = 0
  let acceptedFiles = 0
  const verification = new Verification({
    root,
    recordDirectory,
    signal,
    fileSystem,
    startedAtMs,
    isQuick: options['quick'] === true,
    parallel: PARALLEL,
    onProgress: (counts) => report.progress(counts),
    onProblem: async (problem) => {
      if (acceptor !== undefined && problem.kind === accepted && (await acceptor.accept(problem))) acceptedFiles += 1
      else {
        if (problem.kind !== 'unrecorded' || options['strict'] === true) wrong += 1
        await report.problem(problem)
      }
    },
  })
  try {
    const counts = await verification.run()
    await acceptor?.stop()
    await report.end({ ...counts, accepted: acceptedFiles, isRight: wrong === 0 })
  } finally {
    report.clear()
    await acceptor?.stop()
  }
  return wrong === 0 ? 0 : 1
}

async function folderOf({ arguments: [folder], cwd, pluginOptions }: CommandInvocation): Promise<string> {
  if (typeof folder === 'string') return path.resolve(cwd, folder)
  const plugin = await pluginOptions('@dicomtap/plugin-storage')
  const directory = (plugin?.options as ResolvedStorageOptions | undefined)?.directory
  if (plugin === undefined || directory === undefined) {
    throw new DicomtapError('DICOMTAP_ERR_STO_DIRECTORY', 'The configuration names no storage folder: give it on the command line, as in dicomtap verify ./data')
  }
  return plugin.resolvePath(directory)
}

async function rootOf(folder: string): Promise<string> {
  try {
    return await realpath(folder)
  } catch (error) {
    throw new DicomtapError('DICOMTAP_ERR_STO_DIRECTORY', `${folder} cannot be looked at (${systemCode(error) ?? 'unknown'})`, { cause: error })
  }
}

/** A folder that servers use and that is still empty is right. */
async function requireRecords(fileSystem: FileSystem, recordDirectory: string, folder: string): Promise<void> {
  if ((await statusOf(fileSystem, recordDirectory)) !== undefined) return
  const isUsed = (await statusOf(fileSystem, path.dirname(recordDirectory))) !== undefined
  if (isUsed && !(await hasFiles(folder))) return
  throw new DicomtapError(
    'DICOMTAP_ERR_STO_DIRECTORY',
    `${folder} has no records (${RESERVED_FOLDER}/records): give the folder that the server stores into; with --accept unrecorded what is there is recorded now`,
  )
}

async function hasFiles(folder: string): Promise<boolean> {
  // Leaving the loop closes the folder; a generator that is dropped leaves it open.
  for await (const _file of walkFiles(folder, () => undefined)) return true
  return false
}
