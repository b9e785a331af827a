import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeDataSet,
  encodePart10Header,
  IMPLEMENTATION_CLASS_UID,
  IMPLEMENTATION_VERSION_NAME,
  TransferSyntax,
} from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import { FILE_MODE, FOLDER_MODE } from './file-modes.ts'

/** Writes matches as DICOM files, rsp0001.dcm and so on, into a folder that is made when it is not there. */
export interface MatchWriter {
  write(match: DataSet): Promise<void>
}

/** @param sopClassUid the information model, which stands for a SOP class in the files */
export async function createMatchWriter(folder: string, sopClassUid: string): Promise<MatchWriter> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  let count = 0
  return {
    async write(match) {
      const transferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian
      const header = encodePart10Header({
        sopClassUid,
        sopInstanceUid: randomUid(),
        transferSyntaxUid,
        implementationClassUid: IMPLEMENTATION_CLASS_UID,
        implementationVersionName: IMPLEMENTATION_VERSION_NAME,
      })
      count += 1
      const file = join(folder, `rsp${String(count).padStart(4, '0')}.dcm`)
      try {
        await writeFile(file, Buffer.concat([header, await encodeDataSet(match, transferSyntaxUid)]), { flag: 'wx', mode: FILE_MODE })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        throw new UsageError(`--write: ${file} is there already; give a new folder`)
      }
    },
  }
}

/** PS3.5 B.2: 2.25 and a UUID as a decimal number. */
function randomUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`
}
