import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { UsageError } from './exit.ts'

/** Asks at the terminal; what is typed is not shown. */
export function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError(`${question}: there is no terminal to ask at; give a file instead`)
  return new Promise((resolve, reject) => {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const line = createInterface({ input: process.stdin, output: nowhere, terminal: true })
    process.stderr.write(`${question}: `)
    line.once('line', (answer) => {
      line.removeAllListeners('close')
      line.close()
      process.stderr.write('\n')
      if (answer === '') reject(new UsageError(`${question}: nothing was typed`))
      else resolve(answer)
    })
    // Ctrl-C and Ctrl-D.
    line.once('close', () => {
      process.stderr.write('\n')
      reject(new UsageError(`${question}: not answered`))
    })
  })
}
