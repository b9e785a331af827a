import type { Logger } from '@dicomtap/framework'

/** Keeps the lines of warnings and errors, and those of info. */
export interface TestLog extends Logger {
  readonly lines: string[]
  /** Resolves with the line when one comes that matches. */
  line(pattern: RegExp): Promise<string>
}

export function silentLog(): TestLog {
  const lines: string[] = []
  const waiting: { readonly pattern: RegExp; readonly resolve: (line: string) => void }[] = []
  const write = (level: string) => (message: string): void => {
    const line = `${level}: ${message}`
    lines.push(line)
    for (const entry of [...waiting]) {
      if (!entry.pattern.test(line)) continue
      waiting.splice(waiting.indexOf(entry), 1)
      entry.resolve(line)
    }
  }
  const log: TestLog = {
    lines,
    line: (pattern) => {
      const known = lines.find((line) => pattern.test(line))
      if (known !== undefined) return Promise.resolve(known)
      // What an index does by itself keeps no process alive.
      const alive = setInterval(() => undefined, 1000)
      return new Promise<string>((resolve) => waiting.push({ pattern, resolve })).finally(() => clearInterval(alive))
    },
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: () => undefined,
    trace: () => undefined,
    child: () => log,
    isEnabled: () => true,
  }
  return log
}
