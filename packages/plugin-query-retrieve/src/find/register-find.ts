import type { PluginContext } from '../context.ts'

export function registerFind(_context: PluginContext): void {
  throw new Error('not written yet')
}
