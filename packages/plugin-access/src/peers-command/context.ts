import { resolve } from 'node:path'
import type { CommandInvocation } from '@dicomtap/framework'
import { policySettings, unknownPeersFile } from '../access.ts'
import { accessOptions } from '../options.ts'
import type { ResolvedAccessOptions } from '../options.ts'
import { readPeersFile } from '../peers-file/read.ts'
import type { PeersFile } from '../peers-file/types.ts'
import { compilePolicy } from '../policy/compile.ts'
import type { Policy } from '../policy/compile.ts'

/** Something that the person at the keyboard can put right; one line. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What the commands work on. */
export interface PeersContext {
  readonly options: ResolvedAccessOptions
  readonly path: string
  /** Undefined: the server keeps no list. */
  readonly unknownPath: string | undefined
}

/** Of the configuration; with `--file` of that peers file alone. */
export async function contextOf(invocation: CommandInvocation): Promise<PeersContext> {
  const { options: flags, cwd, pluginOptions } = invocation
  if (typeof flags['file'] === 'string') {
    const path = resolve(cwd, flags['file'])
    const options = await defaultOptions()
    return { options, path, unknownPath: unknownPeersFile(options, path, (relative) => resolve(cwd, relative)) }
  }
  const configured = await pluginOptions('@dicomtap/plugin-access')
  if (configured === undefined) {
    throw new CommandError('the configuration does not name @dicomtap/plugin-access: add it to plugins, or name the peers file with --file')
  }
  const options = configured.options as ResolvedAccessOptions
  const path = configured.resolvePath(options.peers)
  return { options, path, unknownPath: unknownPeersFile(options, path, configured.resolvePath) }
}

async function defaultOptions(): Promise<ResolvedAccessOptions> {
  const result = await accessOptions['~standard'].validate({})
  if (result.issues !== undefined) throw new CommandError(result.issues[0]?.message ?? 'the options cannot be read')
  return result.value
}

export async function readPolicy({ path, options }: PeersContext): Promise<{ readonly file: PeersFile; readonly policy: Policy; readonly isMissing: boolean }> {
  const read = await readPeersFile(path)
  const file = read?.file ?? { peers: [], rules: [] }
  return { file, policy: compilePolicy(file, policySettings(options)), isMissing: read === undefined }
}

/** Text of a peer on a line of a terminal, with nothing in it that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, '?')
}

const LEFT_BY_JSON = /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu

/** JSON on lines of its own; what JSON leaves of what a terminal obeys is escaped. */
export function jsonLines(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(LEFT_BY_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}

/** Rows under each other, in columns that are as wide as they must be. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printable))
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map((row) => row[column]?.length ?? 0)))
  return clean.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`).join('')
}
