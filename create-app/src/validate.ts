import { isServiceName, SERVICE_NAMES } from './services.ts'
import type { ServiceName } from './services.ts'

/** A mistake in what was asked for; its message says what is allowed. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** PS3.5 6.2, AE: 1 to 16 characters of the default repertoire, no backslash; outer spaces do not count. */
export function parseAeTitle(text: string): string {
  const title = text.trim()
  if (!/^[\x20-\x5b\x5d-\x7e]{1,16}$/u.test(title)) {
    throw new UsageError('An AE title has 1 to 16 characters: letters, digits and punctuation without the backslash.')
  }
  return title
}

export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/u.test(text.trim()) || port < 1 || port > 65535) throw new UsageError('A port is a number from 1 to 65535.')
  return port
}

/** A list separated by commas. */
export function parseServices(text: string): ServiceName[] {
  const names = text.split(',').map((name) => name.trim()).filter((name) => name !== '')
  const unknown = names.filter((name) => !isServiceName(name))
  if (names.length === 0 || unknown.length > 0) {
    const what = unknown.length === 0 ? 'Name at least one service' : `There is no service "${unknown.join('", "')}"`
    throw new UsageError(`${what}; the services are: ${SERVICE_NAMES.join(', ')}.`)
  }
  return SERVICE_NAMES.filter((name) => names.includes(name))
}

/** For a prompt: the message of the error that `parse` throws. */
export function complaint(parse: (text: string) => unknown): (text: string | undefined) => string | undefined {
  return (text) => {
    try {
      parse(text ?? '')
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}
