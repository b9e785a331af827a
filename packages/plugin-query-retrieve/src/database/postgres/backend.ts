import type { Backend } from '../backend.ts'
import type { DatabaseOptions } from '../../options.ts'

export function postgresBackend(_options: Extract<DatabaseOptions, { postgres: unknown }>['postgres'], _resolvePath: (path: string) => string): Backend {
  throw new Error('not written yet')
}
