import { basename } from 'node:path'
import { types } from 'node:util'
import { DicomtapError, messageOf } from '../errors/index.ts'
import type { Plugin, StandardIssue, StandardSchema } from './types.ts'

const LIMIT_MS = 10_000

/** A plugin with its options as its schema gave them back. */
export interface ValidatedPlugin {
  readonly plugin: Plugin
  readonly options: unknown
}

/**
 * Validates the options of all plugins at once. A plugin without options gets `{}` to validate, so that
 * a schema of optional fields with defaults needs no more.
 * @throws DICOMTAP_ERR_PLG_OPTIONS with one line per bad path.
 */
export async function validateAllOptions(plugins: readonly Plugin[], file: string | undefined): Promise<ValidatedPlugin[]> {
  const problems: string[] = []
  const validated: ValidatedPlugin[] = []
  for (const plugin of plugins) {
    validated.push({ plugin, options: await validateOptions(plugin, problems) })
  }
  if (problems.length > 0) {
    const where = file === undefined ? '' : `${basename(file)}: `
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', problems.map((problem) => where + problem).join('\n'))
  }
  return validated
}

async function validateOptions({ name, options, optionsSchema }: Plugin, problems: string[]): Promise<unknown> {
  const root = `plugins[${name}].options`
  if (optionsSchema === undefined) {
    if (options !== undefined && options !== null && !isEmptyObject(options)) problems.push(`${root}: this plugin takes no options`)
    return undefined
  }
  return validateWith(optionsSchema, options ?? {}, root, problems)
}

/** What the schema makes of a value; undefined, and lines in `problems`, when it is not allowed. */
export async function validateWith(schema: StandardSchema, candidate: unknown, root: string, problems: string[]): Promise<unknown> {
  try {
    const result = await inTime(schema['~standard'].validate(candidate))
    if (result.issues === undefined) return result.value
    for (const issue of result.issues) problems.push(`${root}${formatPath(issue.path)}: ${issue.message}`)
  } catch (error) {
    problems.push(`${root}: the schema failed: ${messageOf(error)}`)
  }
  return undefined
}

/** As long as `apply` has. */
async function inTime<T>(result: T | Promise<T>): Promise<T> {
  if (!types.isPromise(result)) return result
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not answer within ${LIMIT_MS} ms`)), LIMIT_MS)
  })
  try {
    return await Promise.race([result, expiry])
  } finally {
    clearTimeout(timer)
  }
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function formatPath(path: StandardIssue['path']): string {
  return (path ?? [])
    .map((segment) => (typeof segment === 'object' ? segment.key : segment))
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
}
