import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type CommandInvocation, DicomtapError } from '@dicomtap/framework'
import { command } from '../../../dist/index-command.js'

class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk)
    done()
  }
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** As the command line would run it, without a configuration unless `plugins` are given. */
export async function run(folder: string, name: string, options: Record<string, unknown> = {}, plugins?: Readonly<Record<string, unknown>>, argument: string | undefined = plugins === undefined ? 'data' : undefined): Promise<Ran> {
  const [stdout, stderr] = [new Sink(), new Sink()]
  const definition = command.commands?.find((one) => one.name === name)
  const code = await definition!.run!({
    arguments: [argument],
    options: plugins === undefined ? { database: 'index.sqlite', ...options } : options,
    cwd: folder,
    stdout,
    stderr,
    signal: new AbortController().signal,
    pluginOptions: async (plugin: string) => {
      if (plugins === undefined) throw new DicomtapError('DICOMTAP_ERR_CFG_NOT_FOUND', 'there is none')
      return plugin in plugins ? { options: plugins[plugin], resolvePath: (path: string) => join(folder, path) } : undefined
    },
  } as unknown as CommandInvocation)
  return { code: code ?? 0, stdout: stdout.text, stderr: stderr.text }
}
