import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** What could steer a terminal or change the order of what is read. */
const UNPRINTABLE = /\p{C}/gu

export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`)
}

/** Waits while the reader is slower. */
export async function print(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain')
}

/** `1 file`, `12,345 files`. */
export function counted(count: number, one: string, several: string = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : several}`
}

export function number(count: number): string {
  return count.toLocaleString('en')
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`
}
