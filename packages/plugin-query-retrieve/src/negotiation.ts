import type { PluginContext } from './context.ts'

export function registerExtendedNegotiation(_context: PluginContext): void {
  throw new Error('not written yet')
}
