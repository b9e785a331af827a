import { open } from 'node:fs/promises'
import type { PasscodeSource } from './types.ts'

/** The passcode field holds its length in 16 bits (PS3.7 D.3.3.7.1). */
const MAXIMUM_BYTES = 65_535

/** Ctrl-C at a question. */
export class Cancelled extends Error {
  override readonly name: string = 'Cancelled'
}

/** The passcode from a file, from standard input, or typed on the terminal, where it is not shown. */
export async function readPasscode({ passcodeFile }: PasscodeSource, isNew: boolean): Promise<Buffer> {
  if (passcodeFile !== undefined && passcodeFile !== '-') return firstLine(await readSome(passcodeFile), passcodeFile)
  if (passcodeFile === undefined && process.stdin.isTTY) return Buffer.from(await ask(isNew), 'utf8')
  return firstLine(await readStandardInput(), 'standard input')
}

async function ask(isNew: boolean): Promise<string> {
  const { isCancel, password } = await import('@clack/prompts')
  const question = async (message: string, validate: (value: string | undefined) => string | undefined): Promise<string> => {
    const answer = await password({ message, mask: ' ', validate, output: process.stderr })
    if (isCancel(answer)) throw new Cancelled()
    return answer
  }
  const passcode = await question('Passcode? (it is not shown)', (value) => (value === undefined || value === '' ? 'It is empty.' : undefined))
  if (isNew) await question('Once more?', (value) => (value === passcode ? undefined : 'That is another one.'))
  return passcode
}

async function readSome(path: string): Promise<Buffer> {
  try {
    const file = await open(path)
    try {
      const buffer = Buffer.alloc(MAXIMUM_BYTES + 2)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`, { cause: error })
  }
}

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > MAXIMUM_BYTES + 2) break
  }
  return Buffer.concat(chunks)
}

function firstLine(bytes: Buffer, from: string): Buffer {
  const end = bytes.indexOf(0x0a)
  const line = end === -1 ? bytes : bytes.subarray(0, bytes[end - 1] === 0x0d ? end - 1 : end)
  if (line.length === 0) throw new Error(`There is no passcode in ${from}`)
  if (line.length > MAXIMUM_BYTES) throw new Error(`The passcode in ${from} has more than ${MAXIMUM_BYTES} bytes`)
  return line
}
