import * as module from 'node:module'

/** Node 22.8 and later keep compiled code between runs, which shortens the start; NODE_DISABLE_COMPILE_CACHE=1 forbids it. */
export function enableCompileCache(): void {
  const { enableCompileCache: enable } = module as { enableCompileCache?: () => unknown }
  enable?.()
}
