import { basename } from 'node:path'

const PLUGIN_PREFIX = 'dicomtap-plugin-'

/** A package name from a folder name: `My SCP` is `my-scp`. */
export function packageNameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/gu, '-')
    .replaceAll(/^[._-]+|[._-]+$/gu, '')
    .slice(0, 100)
  return name === '' ? 'dicomtap-server' : name
}

/** Plugin packages start with `dicomtap-plugin-`: that is how people find them. */
export function pluginPackageNameOf(folder: string): string {
  const name = packageNameOf(folder)
  return name.startsWith(PLUGIN_PREFIX) && name !== PLUGIN_PREFIX ? name : PLUGIN_PREFIX + name
}

/** The export of a plugin package: `dicomtap-plugin-night-shift` exports `nightShift`. */
export function exportNameOf(pluginPackageName: string): string {
  const words = pluginPackageName.slice(PLUGIN_PREFIX.length).split(/[^a-z0-9]+/u).filter((word) => word !== '')
  const name = words.map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join('')
  return /^[a-z]/u.test(name) && !isReserved(name) ? name : `${/^[a-z]/u.test(name) ? name : `my${name}`}Plugin`
}

const RESERVED: ReadonlySet<string> = new Set(
  ('arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function ' +
    'if implements import in instanceof interface let new null package private protected public return static super switch this throw true try ' +
    'typeof undefined var void while with yield').split(' '),
)

function isReserved(name: string): boolean {
  return RESERVED.has(name)
}
