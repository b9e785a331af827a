/** The commands of dicomtap itself: no plugin may take one of these names. */
export const OWN_COMMANDS: ReadonlySet<string> = new Set([
  'start',
  'check',
  'hooks',
  'plugins',
  'schema',
  'echo',
  'store',
  'find',
  'get',
  'move',
  'help',
])
