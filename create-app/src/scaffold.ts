import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Answers } from './answers.ts'
import { fillManifest, peerRange } from './manifest.ts'
import { exportNameOf, packageNameOf, pluginPackageNameOf } from './names.ts'
import { runCommand } from './package-manager.ts'
import { ACCESS_PACKAGE, CERTIFICATES_SCRIPT, TLS_PACKAGE, TLS_PORT } from './security.ts'
import { QUERY_RETRIEVE_PACKAGE, SERVICE_NAMES, SERVICES } from './services.ts'
import { copyTemplate } from './template.ts'
import type { Fill } from './template.ts'
import type { Undo } from './undo.ts'

export interface ScaffoldOptions {
  readonly version: string
  readonly overwrite: boolean
  readonly tarballs: ReadonlyMap<string, string> | undefined
  readonly undo: Undo
}

const PEERS_FILE = 'peers.yaml'

/** The folder holds files and `--overwrite` was not given. */
export class FolderNotEmpty extends Error {
  override readonly name: string = 'FolderNotEmpty'
}

/** Whether there is anything in the folder besides a fresh repository. */
export function isFree(target: string): boolean {
  try {
    return readdirSync(target).every((name) => name === '.git')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

/** @throws FolderNotEmpty */
export function assertFree(folder: string): void {
  if (!isFree(folder)) throw new FolderNotEmpty(`${folder} is not empty. Choose another folder, or write into it with --overwrite.`)
}

/**
 * Writes the new project and gives the files back. It is put together in a folder beside the target, so
 * that a failure or Ctrl-C on the way leaves nothing half-made.
 *
 * @throws FolderNotEmpty
 */
export async function scaffold(answers: Answers, { version, overwrite, tarballs, undo }: ScaffoldOptions): Promise<string[]> {
  const { target } = answers
  if (!overwrite) assertFree(target)
  // In the same file system, so that moving is renaming; the parent of a folder that exists may be read-only.
  const parent = existsSync(target) ? target : dirname(target)
  await mkdir(parent, { recursive: true })
  const draft = await mkdtemp(join(parent, '.create-dicomtap-'))
  undo.drafts.add(draft)
  try {
    const template = answers.template === 'plugin' ? 'plugin' : `scp-${answers.language}`
    const files = await copyTemplate(template, draft, fillOf(answers, version), (path) => path !== PEERS_FILE || hasPeers(answers))
    await fillManifest(join(draft, 'package.json'), {
      name: projectName(answers),
      version,
      without: [
        ...SERVICE_NAMES.filter((name) => !answers.services.includes(name)).map((name) => SERVICES[name].package),
        ...(answers.tls === 'none' ? [TLS_PACKAGE] : []),
        ...(hasPeers(answers) ? [] : [ACCESS_PACKAGE]),
        ...(answers.queryRetrieve ? [] : [QUERY_RETRIEVE_PACKAGE]),
      ],
      withoutScripts: [...(answers.tls === 'none' ? [CERTIFICATES_SCRIPT] : []), ...(hasPeers(answers) ? [] : ['peers'])],
      tarballs,
    })
    if (answers.packageManager === 'yarn') {
      // Plug'n'Play has no node_modules, where plugins are looked for.
      await writeFile(join(draft, '.yarnrc.yml'), 'nodeLinker: node-modules\n')
      files.push('.yarnrc.yml')
    }
    await move(draft, target)
    return files
  } finally {
    await rm(draft, { recursive: true, force: true })
    undo.drafts.delete(draft)
  }
}

/** Whether there is a peers file: it says who may associate, and to C-MOVE where its destinations are. */
function hasPeers({ access, queryRetrieve }: Answers): boolean {
  return access === 'deny' || queryRetrieve
}

export function projectName({ template, target }: Answers): string {
  return template === 'plugin' ? pluginPackageNameOf(target) : packageNameOf(target)
}

/** `port 104`, `ports 104 and 2762 (TLS)`. */
export function portsInWords({ port, tls }: Pick<Answers, 'port' | 'tls'>): string {
  return { none: `port ${port}`, beside: `ports ${port} and ${TLS_PORT} (TLS)`, only: `port ${port} (TLS)` }[tls]
}

function fillOf(answers: Answers, version: string): Fill {
  const { aeTitle, port, services, queryRetrieve, tls, access, packageManager, target } = answers
  const tlsPort = tls === 'only' ? port : TLS_PORT
  const sections = new Set([
    ...(port < 1024 ? ['privileged'] : []),
    ...{ none: ['plain', 'plainOnly'], beside: ['plain', 'tls', 'both'], only: ['tls', 'tlsOnly'] }[tls],
    access,
    ...(hasPeers(answers) ? ['peers'] : ['unguarded']),
    ...(hasPeers(answers) && access === 'open' ? ['addressBook'] : []),
    ...(queryRetrieve ? ['query', `${access}query`, ...(tls === 'only' ? [] : ['plainquery']), ...(tls === 'none' ? [] : ['tlsquery'])] : []),
    ...(tls === 'only' ? [] : services.map((name) => `plain${name}`)),
    ...(tls === 'none' ? [] : services.map((name) => `tls${name}`)),
  ])
  const pluginName = pluginPackageNameOf(target)
  return {
    values: {
      name: projectName(answers),
      frameworkRange: peerRange(version),
      exportName: exportNameOf(pluginName),
      aeTitle,
      aeTitleJson: JSON.stringify(aeTitle),
      aeTitleTs: `'${aeTitle.replaceAll("'", String.raw`\'`)}'`,
      aeTitleShell: shellWord(aeTitle),
      port: String(port),
      ports: portsInWords(answers),
      tlsPort: String(tlsPort),
      folder: target,
      install: `${packageManager} install`,
      start: runCommand(packageManager, 'start'),
      check: runCommand(packageManager, 'check'),
      hooks: runCommand(packageManager, 'hooks'),
      plugins: runCommand(packageManager, 'plugins'),
      test: runCommand(packageManager, 'test'),
      certificates: runCommand(packageManager, CERTIFICATES_SCRIPT),
      peers: runCommand(packageManager, 'peers'),
      add: packageManager === 'npm' ? 'npm install' : `${packageManager} add`,
    },
    isOn: (section) => services.some((name) => name === section) || sections.has(section),
  }
}

/** One word for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w.@%+=:,/-]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** Moves the entries of `from` into `to`, replacing files of the same name. */
async function move(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, destination] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await move(source, destination)
    else await rename(source, destination)
  }
}
