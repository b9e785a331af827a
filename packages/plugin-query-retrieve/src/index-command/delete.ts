import type { CommandDefinition, CommandInvocation } from '@dicomtap/framework'
import type { Deletable, DeletionService } from '../retention/deletion-service.ts'
import type { Deleted } from '../retention/delete-study.ts'
import { bytesText, counted, print } from './output.ts'

const UID = /^[0-9.]{1,64}$/

/** `dicomtap index delete`: files of a study or a series, and their rows. */
export const deleteCommand: CommandDefinition = {
  name: 'delete',
  summary: 'Delete a study or a series: its stored files and what the index has of it.',
  options: [
    { flags: '--study <uid>', description: 'Study Instance UID (0020,000D)', required: true },
    { flags: '--series <uid>', description: 'Series Instance UID (0020,000E): only this series of it' },
    { flags: '--yes', description: 'do not ask' },
    { flags: '--json', description: 'print one JSON object; needs --yes' },
  ],
  help: `
What is deleted cannot be had back. A server may run meanwhile.

Exit code 0: it is gone. 1: there is no such study, it was not confirmed, or a part of it is still there.

Examples:
  dicomtap index delete --study 1.2.840.113619.2.55
  dicomtap index delete --study 1.2.840.113619.2.55 --series 1.2.840.113619.2.55.3 --yes`,
  run: (invocation) => deleteByHand(invocation, confirmAtTerminal),
}

/** Asks a question; false for anything but yes. Rejects where nobody can be asked. */
export type Confirm = (question: string, invocation: CommandInvocation) => Promise<boolean>

export async function deleteByHand(invocation: CommandInvocation, confirm: Confirm): Promise<number> {
  const { options, withServices, stdout, stderr, signal } = invocation
  const { CommandError } = await import('./context.ts')
  const uidOf = (flag: string, value: unknown): string | undefined => {
    if (value === undefined) return undefined
    if (typeof value === 'string' && UID.test(value)) return value
    throw new CommandError(`${flag}: ${JSON.stringify(value)} is no UID`)
  }
  const study = uidOf('--study', options['study']) ?? ''
  const series = uidOf('--series', options['series'])
  const isJson = options['json'] === true
  if (isJson && options['yes'] !== true) throw new CommandError('--json asks nothing: give --yes too')
  return withServices(async ({ injectOptional }) => {
    const service: DeletionService | undefined = injectOptional('query-retrieve.deletion')
    if (service === undefined) throw new CommandError('the configuration does not load the plugin query-retrieve')
    const found = await service.find(study, series)
    if (found === undefined) throw new CommandError(`the index has no such ${series === undefined ? 'study' : 'series'}`)
    if (!isJson) await print(stdout, describe(found))
    if (options['yes'] !== true && !(await confirm('Delete it for good? ', invocation))) {
      stderr.write('Nothing was deleted.\n')
      return 1
    }
    const deleted = await service.delete(found, signal)
    await print(stdout, isJson ? `${JSON.stringify({ studyInstanceUid: study, seriesInstanceUid: series ?? null, ...deleted })}\n` : report(deleted))
    return deleted.end === 'done' && deleted.unremoved.length === 0 ? 0 : 1
  })
}

function describe({ seriesInstanceUid, series, instances, bytes, oldestStoredAtMs, newestStoredAtMs }: Deletable): string {
  const what = seriesInstanceUid === undefined ? `The study has ${counted(series, 'series', 'series')} and` : 'The series has'
  const days = [...new Set([oldestStoredAtMs, newestStoredAtMs].map((ms) => new Date(ms).toISOString().slice(0, 10)))]
  return `${what} ${counted(instances, 'instance')}, ${bytesText(bytes)}, stored ${days.length === 1 ? `on ${days[0]}` : `from ${days[0]} to ${days[1]}`}.\n`
}

const WHY: Readonly<Record<Deleted['unremoved'][number]['why'], string>> = {
  path: 'their path in the index leads to no file in the storage folder',
  'in-use': 'they are just being stored: try again',
  newer: 'they were stored again meanwhile: try again',
  handler: 'a plugin, or the index, refused: see the log',
  system: 'the system refused',
}

function report({ files, bytes, unremoved, end }: Deleted): string {
  if (end === 'no-files') return 'Its files are not there. Is the storage folder mounted? If they are gone for good: dicomtap index check --repair\n'
  const lines = [`Deleted ${counted(files, 'file')}, ${bytesText(bytes)}.`]
  const reasons = new Map<string, number>()
  for (const { why, code } of unremoved) {
    const reason = code === undefined ? WHY[why] : `${WHY[why]} (${code})`
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  for (const [reason, count] of reasons) lines.push(`Not deleted: ${counted(count, 'file')}: ${reason}`)
  if (end === 'broken-off') lines.push('It was broken off: the same command goes on.')
  return `${lines.join('\n')}\n`
}

async function confirmAtTerminal(question: string, { stderr, signal }: CommandInvocation): Promise<boolean> {
  const [{ createInterface }, { CommandError }] = await Promise.all([import('node:readline/promises'), import('./context.ts')])
  if (!process.stdin.isTTY) throw new CommandError('there is no terminal to ask at: give --yes')
  const terminal = createInterface({ input: process.stdin, output: stderr })
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question}[y/N] `, { signal })).trim())
  } finally {
    terminal.close()
  }
}
