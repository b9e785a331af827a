/** A command that comes with a plugin of dicomtap itself. */
export interface FirstPartyCommand {
  readonly package: string
  /** As in the command's definition, which is not loaded for a list. */
  readonly summary: string
}

/** Commands that people look for before they have the plugin, by name. */
export const FIRST_PARTY_COMMANDS: Readonly<Record<string, FirstPartyCommand>> = {
  cert: { package: '@dicomtap/plugin-tls', summary: 'Make a CA and certificates for development and test networks.' },
  index: { package: '@dicomtap/plugin-query-retrieve', summary: 'Rebuild and check the index that queries are answered from; show what is in it.' },
  peers: { package: '@dicomtap/plugin-access', summary: 'Show who may associate and who knocked in vain; let peers in.' },
  users: { package: '@dicomtap/plugin-user-identity', summary: 'Keep the file of users and their passcodes.' },
  verify: { package: '@dicomtap/plugin-storage', summary: 'Compare stored files with the sizes and SHA-256 digests that were recorded of them.' },
}

/** What to do when the plugin is not there; undefined for every other name. */
export function notInstalled(command: string): string | undefined {
  if (!Object.hasOwn(FIRST_PARTY_COMMANDS, command)) return undefined
  const name = FIRST_PARTY_COMMANDS[command]?.package
  return `dicomtap ${command} comes with ${name}: npm install ${name}`
}
