import type { PluginContext } from '../context.ts'

export function registerIntake(_context: PluginContext): void {
  throw new Error('not written yet')
}
