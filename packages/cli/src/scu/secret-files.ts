import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { UsageError } from './exit.ts'

/** The user information items of an A-ASSOCIATE-RQ hold no more (PS3.7 D.3.3.7.1). */
const MAXIMUM_BYTES = 65_535

/** The bytes of a file that an option names; messages name the option and the file, never what is in it. */
export async function readOptionFile(option: string, file: string, maximumBytes: number = Number.MAX_SAFE_INTEGER): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = file === '-' ? Buffer.from(await readAll(process.stdin)) : await readFile(file)
  } catch (cause) {
    throw new UsageError(`${option}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unreadable'})`, { cause })
  }
  if (bytes.length === 0) throw new UsageError(`${option}: ${nameOf(file)} is empty`)
  if (bytes.length > maximumBytes) throw new UsageError(`${option}: ${nameOf(file)} has ${bytes.length} bytes, more than the ${maximumBytes} that can be sent`)
  return bytes
}

/** As text, without the line break that editors put at the end. */
export async function readSecret(option: string, file: string): Promise<string> {
  const secret = (await readOptionFile(option, file, MAXIMUM_BYTES)).toString('utf8').replace(/\r?\n$/u, '')
  if (secret === '') throw new UsageError(`${option}: ${nameOf(file)} is empty`)
  return secret
}

/** A secret that is bytes, as it stands in the file. */
export function readBinarySecret(option: string, file: string): Promise<Buffer> {
  return readOptionFile(option, file, MAXIMUM_BYTES)
}

function nameOf(file: string): string {
  return file === '-' ? 'stdin' : file
}
