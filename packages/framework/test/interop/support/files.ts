import type { ExecutionContext } from 'ava'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodePart10Header } from '@dicomtap/framework'

/** A folder that is gone when the test is. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-interop-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The data set of a Part 10 file, as bytes. */
export async function dataSetBytes(file: string): Promise<Buffer> {
  const bytes = await readFile(file)
  return bytes.subarray(decodePart10Header(bytes).dataSetOffset)
}

/** The data sets of a folder's Part 10 files, by SOP Instance UID. */
export async function storedIn(folder: string): Promise<Map<string, { readonly transferSyntaxUid: string | undefined; readonly dataSet: Buffer }>> {
  const found = new Map<string, { transferSyntaxUid: string | undefined; dataSet: Buffer }>()
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name))
    const { meta, dataSetOffset } = decodePart10Header(bytes)
    found.set(meta.sopInstanceUid ?? '', { transferSyntaxUid: meta.transferSyntaxUid, dataSet: bytes.subarray(dataSetOffset) })
  }
  return found
}
