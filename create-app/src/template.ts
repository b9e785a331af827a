import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const TEMPLATES: string = fileURLToPath(new URL('../templates/', import.meta.url))

/** `{{name}}` in a template becomes `values.name`; sections stay when `isOn(name)`. */
export interface Fill {
  readonly values: Readonly<Record<string, string>>
  readonly isOn: (section: string) => boolean
}

/** The files of a template, as paths relative to the new folder: `_gitignore` becomes `.gitignore`. */
export async function templateFiles(template: string): Promise<{ readonly source: string; readonly path: string }[]> {
  const root = join(TEMPLATES, template)
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((source) => ({ source, path: source.slice(root.length + 1).replaceAll(/(?<=^|[/\\])_/gu, '.') }))
}

/**
 * Copies a template. A line with `@if name` in a comment starts a section, one with `@end` ends it;
 * neither line is copied.
 */
export async function copyTemplate(
  template: string,
  target: string,
  fill: Fill,
  isWanted: (path: string) => boolean = () => true,
): Promise<string[]> {
  const files = (await templateFiles(template)).filter(({ path }) => isWanted(path))
  for (const { source, path } of files) {
    const destination = join(target, path)
    await mkdir(dirname(destination), { recursive: true })
    if (TEXT.has(extname(source)) || /[/\\]_[^/\\]*$/u.test(source)) {
      await writeFile(destination, fillText(await readFile(source, 'utf8'), fill))
    } else {
      await copyFile(source, destination)
    }
  }
  return files.map(({ path }) => path)
}

const TEXT: ReadonlySet<string> = new Set(['.ts', '.js', '.mjs', '.json', '.yaml', '.md'])
const SECTION = /^\s*(?:\/\/|#|<!--)\s*@(?<mark>if|end)\b\s*(?<name>\w*)/u

export function fillText(text: string, { values, isOn }: Fill): string {
  const lines: string[] = []
  let isInside = true
  for (const line of text.split('\n')) {
    const { mark, name = '' } = SECTION.exec(line)?.groups ?? {}
    if (mark === 'if') isInside = isOn(name)
    else if (mark === 'end') isInside = true
    else if (isInside) lines.push(line)
  }
  return lines.join('\n').replaceAll(/\{\{(\w+)\}\}/gu, (_whole, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`The template asks for {{${name}}}, which has no value`)
    return value
  })
}
