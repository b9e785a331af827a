import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))

/** A page of the documentation. */
export interface Page {
  /** Path below the root. */
  readonly path: string
  readonly text: string
}

/** A fenced block of code: ```` ```language name ````. */
export interface CodeBlock {
  readonly page: string
  readonly line: number
  readonly language: string
  /** The file it stands for, or `output`: what the block before it prints. */
  readonly name: string | undefined
  readonly code: string
}

const ROOT_PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md']

/** The pages that these tests answer for. */
export function readPages(): Page[] {
  const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
  return [...ROOT_PAGES, ...inDocs, 'packages/framework/README.md']
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

/** The READMEs of the other packages. */
export function readPackageReadmes(): Page[] {
  return ['create-app', ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`)]
    .map((folder) => `${folder}/README.md`)
    .filter((path) => path !== 'packages/framework/README.md' && existsSync(join(ROOT, path)))
    .map(readPage)
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') }
}

export function codeBlocks({ path, text }: Page): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index++) {
    const [, language, name] = /^```(\w+)(?: (\S+))?$/.exec(lines[index] ?? '') ?? []
    if (language === undefined) continue
    const start = index + 1
    const end = lines.indexOf('```', start)
    blocks.push({ page: path, line: start, language, name, code: `${lines.slice(start, end).join('\n')}\n` })
    index = end
  }
  return blocks
}

/** The text without its fenced code. */
export function prose({ text }: Page): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '')
}

/** The cells of every row of a page's tables, head rows left out. */
export function tableRows({ text }: Page): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(/ \| /))
}

/** GitHub's anchor of a heading. */
export function anchorOf(heading: string): string {
  return heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')
}
