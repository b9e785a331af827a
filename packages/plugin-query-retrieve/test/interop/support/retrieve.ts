import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Question } from '../../corpus/oracle.js'
import { run } from './programs.js'

export interface Retrieval {
  readonly root: Question['root']
  readonly level: Question['level']
  /** Keywords and values, as on the command line. */
  readonly keys: Readonly<Record<string, string>>
}

/** How a retrieval ended, as DCMTK's client tells. */
export interface Retrieved {
  readonly folder: string
  readonly status: string
  readonly comment: string | undefined
  readonly completed: number
  readonly failed: number
  readonly output: string
}

const TAGS: Readonly<Record<string, string>> = { PatientID: '00100020', StudyInstanceUID: '0020000d', SeriesInstanceUID: '0020000e', SOPInstanceUID: '00080018' }

/** The identifier as the oracle takes it. */
export function retrieveQuestion({ root, level, keys }: Retrieval): Question {
  const elements = Object.entries(keys).map(([name, text]) => [TAGS[name] ?? name, { vr: name === 'PatientID' ? 'LO' : 'UI', text }] as const)
  return { root, level, keys: new Map(elements) }
}

function identifierArguments({ root, level, keys }: Retrieval): string[] {
  const all = { QueryRetrieveLevel: level, ...keys }
  return [`-${root}`, ...Object.entries(all).flatMap(([name, value]) => ['-k', `${name}=${value}`])]
}

/** DCMTK's `getscu`. @param options e.g. `+xs` for what it accepts */
export async function getscu(retrieval: Retrieval, port: number, folder: string, options: readonly string[] = []): Promise<Retrieved> {
  await mkdir(folder, { recursive: true })
  const { output } = await run('getscu', ['-d', '+B', '-aec', 'ARCHIVE', '-od', folder, ...options, ...identifierArguments(retrieval), '127.0.0.1', String(port)])
  return outcome(folder, output)
}

/** DCMTK's `movescu`, to a destination that runs apart, or with `+P` to itself. */
export async function movescu(retrieval: Retrieval, port: number, destination: string, folder: string, options: readonly string[] = []): Promise<Retrieved> {
  await mkdir(folder, { recursive: true })
  // With +B it writes into the working folder, whatever -od says.
  const { output } = await run('movescu', ['-d', '-aet', 'MOVESCU', '-aem', destination, '-aec', 'ARCHIVE', ...options, ...identifierArguments(retrieval), '127.0.0.1', String(port)], folder)
  return outcome(folder, output)
}

function outcome(folder: string, output: string): Retrieved {
  const last = output.slice(Math.max(output.lastIndexOf('C-GET RSP'), output.lastIndexOf('C-MOVE RSP'), 0))
  const number = (name: string): number => Number(new RegExp(`${name} Suboperations *: *(\\d+)`, 'i').exec(last)?.[1] ?? -1)
  return {
    folder,
    output,
    status: /DIMSE Status *: *(0x[0-9a-f]{4})/i.exec(last)?.[1] ?? 'none',
    comment: /\(0000,0902\) LO \[(.*?)\s*\]/.exec(output)?.[1],
    completed: number('Completed'),
    failed: number('Failed'),
  }
}

export async function isEmpty(folder: string): Promise<boolean> {
  return (await readdir(folder)).length === 0
}

export function folderOf(base: string, { root, level, keys }: Retrieval): string {
  return join(base, `${root}-${level}-${Object.values(keys).join('-').replaceAll(/[^\w.-]/g, '_').slice(0, 100)}`)
}
