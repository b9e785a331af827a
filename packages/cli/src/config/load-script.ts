import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Jiti } from 'jiti'
import { scriptError } from './syntax-error.ts'
import type { Position } from './syntax-error.ts'

let loads = 0

/**
 * The exports of a JavaScript or TypeScript file. Plain JavaScript goes through `import()`, TypeScript
 * through jiti, which needs no compiler and shares the framework with the program: a second copy
 * would not know the first one's plugins. Each call reads the file anew, for SIGHUP.
 *
 * @throws DICOMTAP_ERR_CFG_SYNTAX when it does not compile or throws.
 */
export async function loadScript(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    if (isTypeScript(file)) return await (await typeScriptLoader(file)).import<Record<string, unknown>>(file)
    loads += 1
    // CommonJS is cached by file name, ESM by URL.
    delete createRequire(file).cache[file]
    const query = loads === 1 ? '' : `?load=${loads}`
    return (await import(pathToFileURL(file).href + query)) as Record<string, unknown>
  } catch (error) {
    throw await scriptError(file, error, () => findSyntaxError(file))
  }
}

export function isTypeScript(file: string): boolean {
  return ['.ts', '.mts', '.cts'].includes(extname(file))
}

async function typeScriptLoader(file: string): Promise<Jiti> {
  const { createJiti } = await import('jiti')
  // No cache on disk: the folder may be read-only, and stale code would be a riddle.
  return createJiti(pathToFileURL(file).href, { fsCache: false, moduleCache: false })
}

/** `import()` does not say where a syntax error is; jiti's parser does. */
async function findSyntaxError(file: string): Promise<{ position: Position; what: string } | undefined> {
  const jiti = await typeScriptLoader(file)
  const output = jiti.transform({ source: await readFile(file, 'utf8'), filename: file, ts: isTypeScript(file), async: true })
  const json = /^exports\.__JITI_ERROR__ = (\{.*\});?$/su.exec(output.trim())?.[1]
  if (json === undefined) return undefined
  const { line, column, message } = JSON.parse(json) as { line: number; column: number; message: string }
  // The parser counts columns from 0.
  return { position: { line, column: column + 1 }, what: message.replace(/^ParseError: /u, '').replace(/\s*\(\d+:\d+\)\s*$/u, '').split('\n', 1)[0] ?? '' }
}
