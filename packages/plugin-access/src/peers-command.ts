import { DicomtapError, defineCommand } from '@dicomtap/framework'
import type { CommandArgument, CommandDefinition, CommandInvocation, CommandOption } from '@dicomtap/framework'

const TITLE: CommandArgument = { name: '<title>', description: 'the AE title of the peer' }
const FILE: CommandOption = { flags: '--file <file>', description: 'this peers file instead of the one of the configuration' }
const JSON_FLAG: CommandOption = { flags: '--json', description: 'print JSON' }

/** `dicomtap peers`: shows and keeps the peers file. */
export const command: CommandDefinition = defineCommand({
  name: 'peers',
  summary: 'Show who may associate and who knocked in vain; let peers in.',
  help: `Examples:
  dicomtap peers
  dicomtap peers add CT1                              it knocked: its address is known
  dicomtap peers add PACS --host 10.1.2.3 --port 104 --allow echo,find,move
  dicomtap peers test CT1 --host 10.1.2.9
  dicomtap peers remove CT1

A server that runs reads the file again by itself.`,
  options: [FILE, JSON_FLAG],
  run: (invocation) => reporting(invocation, async () => (await import('./peers-command/list.ts')).list(invocation)),
  commands: [
    {
      name: 'list',
      summary: 'Print the peers, and those that knocked and are unknown.',
      options: [FILE, JSON_FLAG],
      run: (invocation) => reporting(invocation, async () => (await import('./peers-command/list.ts')).list(invocation)),
    },
    {
      name: 'add',
      summary: 'Let a peer in, or change one. The file keeps its comments.',
      arguments: [TITLE],
      options: [
        { flags: '--host <hosts>', description: 'IP addresses, networks or names, separated by commas. Default: the address it knocked from' },
        { flags: '--any-host', description: 'from anywhere: whoever uses this AE title' },
        { flags: '--port <port>', description: 'where it listens, for C-MOVE' },
        { flags: '--tls', description: 'TLS when this side associates with it' },
        { flags: '--allow <rights>', description: 'what it may, separated by commas: echo, store, find ... Default: echo and store' },
        { flags: '--move-to <titles>', description: 'where it may have objects moved to, separated by commas' },
        { flags: '--group <name>', description: 'a group of the file' },
        { flags: '--pin', description: 'the certificate that it knocked with is the only one it may show' },
        { flags: '--name <name>', description: 'what it is called in the log' },
        { flags: '--description <text>', description: 'for people' },
        FILE,
        JSON_FLAG,
      ],
      run: (invocation) => reporting(invocation, async () => (await import('./peers-command/change.ts')).add(invocation)),
    },
    {
      name: 'remove',
      summary: 'Take a peer out. Associations that it has go on.',
      arguments: [{ name: '<title>', description: 'its AE title or name' }],
      options: [FILE, JSON_FLAG],
      run: (invocation) => reporting(invocation, async () => (await import('./peers-command/change.ts')).remove(invocation)),
    },
    {
      name: 'forget',
      summary: 'Take unknown peers off the list.',
      arguments: [{ name: '[title]', description: 'the AE title' }],
      options: [{ flags: '--address <address>', description: 'only from there' }, { flags: '--all', description: 'all of them' }, FILE, JSON_FLAG],
      run: (invocation) => reporting(invocation, async () => (await import('./peers-command/change.ts')).forget(invocation)),
    },
    {
      name: 'test',
      summary: 'Tell whether a peer would be let in, and what decides: exit code 0, else 1.',
      arguments: [TITLE],
      options: [
        { flags: '--host <address>', description: 'where it comes from', required: true },
        { flags: '--called <title>', description: 'the AE title that it calls. Default: that of the configuration' },
        { flags: '--port <port>', description: 'the port of the listener. Default: the first one of the configuration, with --tls the first with TLS' },
        { flags: '--tls', description: 'it comes over TLS' },
        { flags: '--fingerprint <sha256>', description: 'of its certificate' },
        { flags: '--user <name>', description: 'its user, verified' },
        { flags: '--roles <names>', description: 'roles of its user, separated by commas' },
        FILE,
        JSON_FLAG,
      ],
      run: (invocation) => reporting(invocation, async () => (await import('./peers-command/explain.ts')).explain(invocation)),
    },
  ],
})

/** What is wrong with the peers file or the command line is one line each; errors of dicomtap are printed by the caller. */
async function reporting({ stderr }: CommandInvocation, action: () => Promise<number | void>): Promise<number> {
  try {
    return (await action()) ?? 0
  } catch (error) {
    if (error instanceof DicomtapError) throw error
    for (const line of (error as Error).message.split('\n')) stderr.write(`error: ${line}\n`)
    return (error as { readonly exitCode?: number }).exitCode ?? 1
  }
}
