import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { PACKAGE_MANAGERS } from './package-manager.ts'
import type { PackageManager } from './package-manager.ts'
import type { AccessMode, TlsMode } from './security.ts'
import { SERVICE_NAMES } from './services.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/** The version of this package: the packages that it scaffolds with are of the same one. */
export const VERSION: string = version

/** The command line as parsed, not yet checked. */
export interface Flags {
  readonly template: 'scp' | 'plugin'
  readonly aeTitle?: string
  readonly port?: string
  readonly services?: string
  readonly queryRetrieve?: boolean
  readonly tls?: TlsMode
  readonly access?: AccessMode
  readonly language?: 'ts' | 'yaml'
  readonly packageManager?: PackageManager
  readonly install: boolean
  readonly git: boolean
  readonly yes?: boolean
  readonly overwrite?: boolean
  readonly packages?: string
}

export function createProgram(action: (folder: string | undefined, flags: Flags) => Promise<void>): Command {
  return new Command('create-dicomtap')
    .description('Makes a DICOM server, or a plugin for one, in a new folder.')
    .argument('[folder]', 'where; "." is this folder (default: my-scp, or dicomtap-plugin-example)')
    .addOption(new Option('-t, --template <name>', 'what to make').choices(['scp', 'plugin']).default('scp'))
    .option('-a, --ae-title <title>', 'AE title of the server (default: DICOMTAP)')
    .option('-p, --port <number>', 'port of the server (default: 11112, with --tls only 2762)')
    .option('-s, --services <list>', `services, separated by commas: ${SERVICE_NAMES.join(', ')} (default: all)`)
    .option('-q, --query-retrieve', 'answer queries and send images back: C-FIND, C-MOVE and C-GET for what is stored')
    .addOption(new Option('--tls [mode]', 'TLS on port 2762, beside the plain port or instead of it').choices(['beside', 'only']).preset('beside'))
    .addOption(new Option('--access <mode>', 'who may associate: anyone, or the peers of a file and nobody else (default: open)').choices(['open', 'deny']))
    .addOption(new Option('-l, --language <language>', 'language of the config file (default: ts)').choices(['ts', 'yaml']))
    .addOption(new Option('-m, --package-manager <name>', 'default: the one you started this with').choices([...PACKAGE_MANAGERS]))
    .option('--no-install', 'do not install the packages')
    .option('--no-git', 'do not make a git repository')
    .option('-y, --yes', 'ask nothing; take the defaults for what no flag says')
    .option('--overwrite', 'write into a folder that has files; files of the same name are replaced, others stay')
    .addOption(
      new Option('--packages <folder>', 'take the @dicomtap packages from tarballs in a folder instead of the registry').env('DICOMTAP_PACKAGES'),
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError('Run "npm create dicomtap@latest -- --help" to see what it takes.')
    .addHelpText(
      'after',
      `
It asks for what no flag says. Without a terminal, or with --yes, it asks nothing.
npm needs "--" before the flags; pnpm, yarn and bun do not.

Examples:
  npm create dicomtap@latest my-scp
  npm create dicomtap@latest my-scp -- --ae-title ARCHIVE --port 104 --language yaml --yes
  npm create dicomtap@latest my-scp -- --tls --access deny
  npm create dicomtap@latest my-pacs -- --query-retrieve --access deny --language yaml
  npm create dicomtap@latest dicomtap-plugin-quarantine -- --template plugin

Exit codes: 0 fine, 1 failure, 2 wrong usage, 130 cancelled.
Help and docs: https://github.com/dicomtap/dicomtap`,
    )
    .action(action)
    .exitOverride()
}
