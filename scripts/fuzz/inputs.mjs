// Inputs as files: hexadecimal, 32 bytes a line, so that a change of one can be read.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @returns {string} the file, named after its content */
export function writeInput(folder, input) {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.hex`)
  writeFileSync(file, `${Buffer.from(input).toString('hex').replaceAll(/.{64}(?!$)/g, '$&\n')}\n`)
  return file
}

export function readInputs(folder) {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((file) => file.endsWith('.hex'))
  return files.map((file) => Uint8Array.from(Buffer.from(readFileSync(join(folder, file), 'utf8').replaceAll(/\s/g, ''), 'hex')))
}
