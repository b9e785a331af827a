import { spawn } from 'node:child_process'
import { decodeText } from './decode-text.ts'

/** A data set as DCMTK reads it: text as it stands there, decoded; numbers in decimal. */
export type Dumped = ReadonlyMap<string, DumpedElement>
export interface DumpedElement {
  readonly vr: string
  /** '' for no value; several values are separated by a backslash. */
  readonly text: string
  /** Items of a sequence. */
  readonly items?: readonly Dumped[]
}

type Draft = Map<string, DumpedElement>

/**
 * Reads all DICOM files of a folder and those below it, up to their pixel data, with one call of DCMTK's `dcmdump`.
 * @returns data sets by path
 */
export async function dumpFolder(folder: string): Promise<Map<string, Dumped>> {
  // Without a map of UIDs to names, with whole values, with the name of each file.
  const output = await runDcmdump(['-q', '-Un', '+L', '+F', '+sb', '7fe0,0010', '+sd', '+r', folder])
  const files = new Map<string, Draft>()
  let reader: DumpReader | undefined
  for (const line of output.split('\n')) {
    const path = /^# dcmdump \(\d+\/\d+\): (.+)$/.exec(line)?.[1]
    if (path === undefined) reader?.take(line)
    else {
      const draft: Draft = new Map()
      files.set(Buffer.from(path, 'latin1').toString('utf8'), draft)
      reader = dumpReader(draft)
    }
  }
  return new Map([...files].map(([path, draft]) => [path, decoded(draft, [])]))
}

interface DumpReader {
  take(line: string): void
}

/** Items are told by their depth: two blanks for each level. */
function dumpReader(root: Draft): DumpReader {
  const open: { draft: Draft; items: Dumped[] | undefined }[] = [{ draft: root, items: undefined }]
  return {
    take(line) {
      const match = /^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (..) (.*?) *# +(?:u\/l|\d+), *\d+ \w+$/.exec(line)
      if (match === null) return
      const [, blanks = '', group = '', element = '', vr = '', value = ''] = match
      const depth = blanks.length / 2
      const tag = group + element
      if (tag === 'fffee00d' || tag === 'fffee0dd') return
      if (tag === 'fffee000') {
        // The item is one deeper than its sequence, its elements one deeper than itself.
        const draft: Draft = new Map()
        open[depth - 1]?.items?.push(draft)
        open[depth + 1] = { draft, items: undefined }
        return
      }
      const level = open[depth]
      if (level === undefined) return
      if (vr !== 'SQ') {
        level.draft.set(tag, { vr, text: valueText(value) })
        return
      }
      const items: Dumped[] = []
      level.items = items
      level.draft.set(tag, { vr, text: '', items })
    },
  }
}

function valueText(value: string): string {
  if (value === '(no value available)') return ''
  return value.startsWith('[') && value.endsWith(']') ? value.slice(1, -1) : value
}

/** VRs that Specific Character Set (0008,0005) is for (PS3.3 C.12.1.1.2). */
const ENCODED_VRS = new Set(['SH', 'LO', 'ST', 'LT', 'UC', 'UT', 'PN'])

function decoded(dataSet: Dumped, inherited: readonly string[]): Dumped {
  const own = dataSet.get('00080005')?.text.split('\\').map((name) => name.trim())
  const sets = own ?? inherited
  return new Map(
    [...dataSet].map(([tag, { vr, text, items }]) => [
      tag,
      items === undefined ? { vr, text: ENCODED_VRS.has(vr) ? decodeText(text, sets) : text } : { vr, text, items: items.map((item) => decoded(item, sets)) },
    ]),
  )
}

function runDcmdump(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('dcmdump', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })
}
