import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { MAXIMUM_PEERS_FILE_BYTES, PeersFileError, parsePeersFile } from './parse.ts'
import type { ParsedPeersFile } from './parse.ts'

/**
 * Reads a peers file.
 * @returns undefined when there is none.
 * @throws PeersFileError
 */
export async function readPeersFile(path: string): Promise<(ParsedPeersFile & { readonly text: string }) | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : { ...parsePeersFile(text, basename(path)), text }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const file = await open(path)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw new Error('it is no file')
      if (stats.size > MAXIMUM_PEERS_FILE_BYTES) throw new Error(`it is larger than ${MAXIMUM_PEERS_FILE_BYTES} bytes`)
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new PeersFileError(`The peers file ${path} cannot be read (${code ?? message})`, { cause })
  }
}
