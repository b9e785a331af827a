export const PACKAGE_MANAGERS = ['npm', 'pnpm', 'yarn', 'bun'] as const
export type PackageManager = (typeof PACKAGE_MANAGERS)[number]

/** The one that runs this program, from `npm_config_user_agent`: `pnpm/10.1.0 npm/? node/v22`. */
export function detectPackageManager(userAgent: string | undefined): PackageManager {
  const name = userAgent?.split('/', 1)[0]
  return PACKAGE_MANAGERS.find((one) => one === name) ?? 'npm'
}

export function installCommand(manager: PackageManager): readonly [PackageManager, 'install'] {
  return [manager, 'install']
}

/** How a script of the package.json is run. */
export function runCommand(manager: PackageManager, script: string): string {
  if (script === 'start' || script === 'test') return manager === 'bun' ? `bun run ${script}` : `${manager} ${script}`
  return `${manager} run ${script}`
}
