/** A dependency on a plugin: `storage`, `storage@^1`, `@site/plugin@1.2`. */
export interface Requirement {
  readonly name: string
  /** `*` when none was given. */
  readonly range: string
}

const OWN_SCOPE = '@dicomtap/plugin-'

/** The name that plugins are known by: first-party packages go without `@dicomtap/plugin-`. */
export function pluginName(packageName: string): string {
  return packageName.startsWith(OWN_SCOPE) ? packageName.slice(OWN_SCOPE.length) : packageName
}

export function parseRequirement(text: string): Requirement {
  const at = text.indexOf('@', 1)
  return at === -1
    ? { name: pluginName(text), range: '*' }
    : { name: pluginName(text.slice(0, at)), range: text.slice(at + 1) }
}
