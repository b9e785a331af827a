import { type CommandArgument, type CommandDefinition, type CommandInvocation, type CommandOption, defineCommand, DicomtapError } from '@dicomtap/framework'
import { deleteCommand } from './index-command/delete.ts'
import { retentionCommand } from './index-command/retention.ts'

const FOLDER: CommandArgument = { name: '[folder]', description: 'storage folder; default: that of the configuration' }
const DATABASE: CommandOption = {
  flags: '--database <place>',
  description: 'a file of SQLite, or postgres://user@host/database, instead of that of the configuration',
}
const JSON_FLAG: CommandOption = { flags: '--json', description: 'print one JSON object' }

/** `dicomtap index`: keeps the index of what is stored. */
export const command: CommandDefinition = defineCommand({
  name: 'index',
  summary: 'Rebuild and check the index that queries are answered from; show what is in it.',
  help: `Examples:
  dicomtap index stats
  dicomtap index check
  dicomtap index check --repair
  dicomtap index rebuild ./data

A server may run meanwhile. The password of a PostgreSQL comes from the configuration, or from PGPASSWORD.`,
  commands: [
    {
      name: 'rebuild',
      summary: 'Read every stored file into the index, and forget rows without a file.',
      arguments: [FOLDER],
      options: [
        { flags: '--restart', description: 'from the first file, not where the last rebuild was broken off' },
        DATABASE,
        JSON_FLAG,
      ],
      help: `
Needed when the database is lost, and after a change of the option attributes. What is indexed stays there
meanwhile. After Ctrl-C or a crash, the same command goes on where it stopped.

Exit code 0: every file is in the index. 1: some are no DICOM instances, or could not be read.`,
      run: (invocation) => reporting(invocation, async () => (await import('./index-command/rebuild.ts')).rebuild(invocation)),
    },
    {
      name: 'check',
      summary: 'Compare the index with the stored files.',
      arguments: [FOLDER],
      options: [
        { flags: '--deep', description: 'read every file, and compare its attributes' },
        { flags: '--repair', description: 'make the index right' },
        DATABASE,
        JSON_FLAG,
      ],
      help: `
  unindexed  a file without a row: it cannot be queried
  missing    a row without a file: it is found, and cannot be retrieved
  changed    the file is not the one that was indexed
  differs    with --deep: the row says something else than the file
  unusable   a file that cannot be indexed: no DICOM instance, without its UIDs, or unreadable

Exit code 0: all is right, or was repaired. 1: something is wrong.`,
      run: (invocation) => reporting(invocation, async () => (await import('./index-command/check.ts')).check(invocation)),
    },
    {
      name: 'stats',
      summary: 'Show how much the index holds.',
      options: [DATABASE, JSON_FLAG],
      run: (invocation) => reporting(invocation, async () => (await import('./index-command/stats.ts')).stats(invocation)),
    },
    ...[retentionCommand, deleteCommand].map((one): CommandDefinition => ({ ...one, run: (invocation) => reporting(invocation, async () => (await one.run?.(invocation)) ?? 0) })),
  ],
})

/** What is wrong with the command line is one line; errors of dicomtap are printed by the caller. */
async function reporting({ stderr }: CommandInvocation, action: () => Promise<number>): Promise<number> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof DicomtapError || (error as { readonly name?: unknown }).name !== 'CommandError') throw error
    stderr.write(`error: ${(error as Error).message}\n`)
    return 1
  }
}
