import type { CommandDefinition, CommandInvocation } from '@dicomtap/framework'
import type { ResolvedQueryRetrieveOptions } from '../options.ts'
import type { DueStudy } from '../retention/retention-plan.ts'
import type { RetentionRule } from '../retention/retention-rule.ts'
import { bytesText, counted, print } from './output.ts'

const PLUGIN = '@dicomtap/plugin-query-retrieve'

/** `dicomtap index retention`: what the rule of the configuration would delete now. It deletes nothing. */
export const retentionCommand: CommandDefinition = {
  name: 'retention',
  summary: 'Show what the option retention would delete now; nothing is deleted.',
  options: [
    { flags: '--list', description: 'also the studies, those that are deleted first at the top' },
    { flags: '--json', description: 'print one JSON object' },
  ],
  help: `
The server deletes by itself, once retention.dryRun is false in the configuration.

Examples:
  dicomtap index retention
  dicomtap index retention --list`,
  run: (invocation) => retention(invocation),
}

interface Found {
  readonly storedBytes: number
  readonly studies: number
  readonly byAge: number
  readonly bySize: number
  readonly bytes: number
  readonly oldestMs: number | undefined
  readonly newestMs: number | undefined
}

async function retention(invocation: CommandInvocation): Promise<number> {
  const { options, pluginOptions, signal, stdout } = invocation
  const [{ withIndex, CommandError }, { dueStudies, storedBytes }, { retentionRule }] = await Promise.all([
    import('./context.ts'),
    import('../retention/retention-plan.ts'),
    import('../retention/retention-rule.ts'),
  ])
  const configured = (await pluginOptions(PLUGIN))?.options as ResolvedQueryRetrieveOptions | undefined
  const rule = retentionRule(configured?.retention)
  if (rule === undefined) throw new CommandError('the configuration has no option retention for the plugin query-retrieve: nothing is ever deleted')
  return withIndex(invocation, async ({ index }) => {
    const studies: DueStudy[] = []
    const found = { storedBytes: await storedBytes(index, signal), studies: 0, byAge: 0, bySize: 0, bytes: 0, oldestMs: undefined as number | undefined, newestMs: undefined as number | undefined }
    for await (const study of dueStudies(index, rule, { signal })) {
      found.studies += 1
      found[study.why === 'age' ? 'byAge' : 'bySize'] += 1
      found.bytes += study.sizeBytes
      found.oldestMs ??= study.lastStoredAtMs
      found.newestMs = study.lastStoredAtMs
      if (options['list'] !== true) continue
      if (options['json'] === true) studies.push(study)
      else await print(stdout, `${dayOf(study.lastStoredAtMs)}  ${study.why.padEnd(4)}  ${study.studyInstanceUid}\n`)
    }
    await print(stdout, options['json'] === true ? json(rule, found, options['list'] === true ? studies : undefined) : text(rule, found))
    return 0
  }, 'read')
}

function json({ maximumAgeMs, maximumBytes, isDryRun }: RetentionRule, { oldestMs, newestMs, ...found }: Found, studies: readonly DueStudy[] | undefined): string {
  const list = studies?.map(({ studyInstanceUid, lastStoredAtMs, sizeBytes, why }) => ({ studyInstanceUid, lastStoredAt: isoOf(lastStoredAtMs), bytes: sizeBytes, why }))
  return `${JSON.stringify({
    rule: { maximumAgeDays: maximumAgeMs === undefined ? null : maximumAgeMs / 86_400_000, maximumBytes: maximumBytes ?? null, dryRun: isDryRun },
    ...found,
    oldest: isoOf(oldestMs),
    newest: isoOf(newestMs),
    ...(list === undefined ? {} : { list }),
  })}\n`
}

function text(rule: RetentionRule, found: Found): string {
  const { maximumAgeMs, maximumBytes, isDryRun } = rule
  const { studies, byAge, bySize, bytes, oldestMs, newestMs } = found
  const limits = [
    ...(maximumAgeMs === undefined ? [] : [`studies that nothing was added to for ${counted(maximumAgeMs / 86_400_000, 'day')}`]),
    ...(maximumBytes === undefined ? [] : [`the oldest above ${bytesText(maximumBytes)}`]),
  ]
  const lines = [`The rule deletes ${limits.join(', and ')}.`, `Stored: ${bytesText(found.storedBytes)}`]
  if (studies === 0 || oldestMs === undefined || newestMs === undefined) lines.push('Nothing is to be deleted now.')
  else {
    lines.push(`To be deleted now: ${counted(studies, 'study', 'studies')}, ${bytesText(bytes)}; ${byAge} by age, ${bySize} by size`)
    lines.push(`Added to last between ${dayOf(oldestMs)} and ${dayOf(newestMs)}`)
  }
  if (maximumBytes !== undefined && found.storedBytes - bytes > maximumBytes) lines.push(`Above ${bytesText(maximumBytes)} still: what was stored within the last hour stays.`)
  if (isDryRun) lines.push('The server only logs it: retention.dryRun is not false.')
  else if (studies > 0) lines.push('The server deletes it when it looks next.')
  return `${lines.join('\n')}\n`
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
