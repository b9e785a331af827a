import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { codeBlocks, readPackageReadmes, readPages, ROOT } from './pages.js'
import type { CodeBlock } from './pages.js'

/** Blocks that stand for files. */
const FILE_LANGUAGES = new Set(['ts', 'js', 'yaml', 'json'])

/** READMEs of packages, whose blocks have no names: those that are whole configurations are tried out. */
export function packageConfigurations(): CodeBlock[] {
  return readPackageReadmes()
    .flatMap((page) => codeBlocks(page))
    .filter(({ language, code }) => language === 'yaml' && /^plugins:/m.test(code))
}

/** What a block of text shows: it stands right behind the block that makes it. */
export interface Shown {
  readonly block: CodeBlock
  readonly text: string
}

/** The examples of the documentation as files, one folder for each page. */
export interface Examples {
  readonly folder: string
  readonly blocks: readonly CodeBlock[]
  /** Absolute path of a block's file. */
  fileOf(block: CodeBlock): string
  /** The same, compiled. */
  compiledFileOf(block: CodeBlock): string
  /** Blocks with the text that stands behind them, `output` or `problems`. */
  shown(what: string): readonly Shown[]
  remove(): void
}

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Writes the named blocks of all pages to a folder in which the workspace's packages are installed. */
export function writeExamples(): Examples {
  const folder = mkdtempSync(join(tmpdir(), 'dicomtap-docs-'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  const blocks = readPages().flatMap((page) => codeBlocks(page))
  const fileOf = (block: CodeBlock): string => join(folder, folderOf(block), block.name ?? '')
  for (const block of blocks) {
    if (!FILE_LANGUAGES.has(block.language) || block.name === undefined) continue
    mkdirSync(dirname(fileOf(block)), { recursive: true })
    writeFileSync(fileOf(block), block.code)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  return {
    folder,
    blocks,
    fileOf,
    compiledFileOf: (block) => join(folder, 'compiled', folderOf(block), (block.name ?? '').replace(/\.ts$/, '.js')),
    shown: (what) =>
      blocks.flatMap((block, index) => {
        const next = blocks[index + 1]
        return next?.language === 'text' && next.name === what && next.page === block.page ? [{ block, text: next.code }] : []
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The two pages on plugins belong together: one tests what the other writes. */
function folderOf({ page }: CodeBlock): string {
  return page.replace('test-a-plugin', 'write-a-plugin').replaceAll(/[/.]/g, '-')
}

/** Type-checks every TypeScript example with the options that a scaffolded package has, and compiles it. */
export async function compileExamples({ folder }: Examples): Promise<Run> {
  const options = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'compiled',
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*/**/*.ts'] }))
  return run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder })
}

/** Servers of examples listen on a free port of this machine. */
export function onFreePort(file: string): string {
  const text = readFileSync(file, 'utf8').replaceAll('port: 11112', "port: 0, host: '127.0.0.1'")
  const changed = file.replace(/(\.\w+)$/, '.free-port$1')
  writeFileSync(changed, text)
  return changed
}

export interface RunOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** Once stdout is as `isDone` wants it, the process is told to stop. */
  readonly isDone?: (stdout: string) => boolean
  /** After this it is ended, and its last line of stderr says so. Default 30 seconds. */
  readonly limitMs?: number
}

export function run(command: string, args: readonly string[], { cwd, env, isDone, limitMs = 30_000 }: RunOptions): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', NODE_TEST_CONTEXT: undefined, ...env } })
    let stdout = ''
    let stderr = ''
    // What it has started ends with it, unless it does not listen.
    const timer = setTimeout(() => {
      stderr += `\nended by the test after ${limitMs} ms\n`
      child.kill('SIGTERM')
      killer = setTimeout(() => child.kill('SIGKILL'), 5_000)
    }, limitMs)
    let killer: NodeJS.Timeout | undefined
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (isDone?.(stdout) === true) child.kill('SIGTERM')
    })
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      clearTimeout(killer)
      resolve({ code, stdout, stderr })
    })
  })
}
