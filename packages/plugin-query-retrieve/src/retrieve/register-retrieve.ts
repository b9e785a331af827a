import type { PluginContext } from '../context.ts'

export function registerRetrieve(_context: PluginContext): void {
  throw new Error('not written yet')
}
