export { options } from './options.ts'
export { {{exportName}} } from './plugin.ts'
