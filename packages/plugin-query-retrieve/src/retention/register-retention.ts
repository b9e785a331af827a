import type { PluginContext } from '../context.ts'

export function registerRetention(_context: PluginContext): void {
  throw new Error('not written yet')
}
