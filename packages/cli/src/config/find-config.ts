import { constants } from 'node:fs'
import { access, lstat, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DicomtapError } from '@dicomtap/framework'
import { parseJson } from './parse-json.ts'
import { unreadable } from './unreadable.ts'

/** The names that are looked for in the working folder, and only there. */
export const CONFIG_FILE_NAMES: readonly string[] = [
  'dicomtap.config.ts',
  'dicomtap.config.mts',
  'dicomtap.config.mjs',
  'dicomtap.config.js',
  'dicomtap.config.cjs',
  'dicomtap.config.json',
  'dicomtap.config.yaml',
  'dicomtap.config.yml',
  '.dicomtaprc.json',
  '.dicomtaprc.yaml',
]

/** The key of `package.json` that can hold the configuration. */
export const PACKAGE_KEY = 'dicomtap'

/**
 * The one config file of a folder, as an absolute path, or undefined when there is none.
 *
 * A file that is there but cannot be read is an error and never "none": a server must not start on
 * defaults because of file permissions. Two config files are an error too.
 *
 * @throws DICOMTAP_ERR_CFG_UNREADABLE, DICOMTAP_ERR_CFG_SYNTAX (package.json), DICOMTAP_ERR_CFG_INVALID (more than one)
 */
export async function findConfig(folder: string): Promise<string | undefined> {
  const found: string[] = []
  for (const name of CONFIG_FILE_NAMES) {
    const file = join(folder, name)
    if (await exists(file)) found.push(file)
  }
  // A package.json counts only with our key. When it cannot be read it may hold one, so that is an
  // error as long as no other file answers the question.
  const isInPackage = await packageHasConfig(folder).catch((error: unknown) => {
    if (found.length === 0) throw error
    return false
  })
  if (isInPackage) found.push(join(folder, 'package.json'))
  if (found.length > 1) {
    const names = found.map((file) => (basename(file) === 'package.json' ? `package.json#${PACKAGE_KEY}` : basename(file)))
    throw new DicomtapError(
      'DICOMTAP_ERR_CFG_INVALID',
      `${folder}: more than one configuration: ${names.join(', ')}; keep one, or name one with --config`,
    )
  }
  const [file] = found
  if (file !== undefined) await assertReadable(file)
  return file
}

/** @throws DICOMTAP_ERR_CFG_UNREADABLE; DICOMTAP_ERR_CFG_NOT_FOUND when the file does not exist. */
export async function assertReadable(file: string): Promise<void> {
  try {
    if (!(await exists(file))) {
      throw new DicomtapError('DICOMTAP_ERR_CFG_NOT_FOUND', `${file}: there is no such file; check the path given with --config`)
    }
    if (!(await stat(file)).isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
    await access(file, constants.R_OK)
  } catch (error) {
    throw error instanceof DicomtapError ? error : unreadable(file, error)
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw unreadable(file, error)
  }
}

async function packageHasConfig(folder: string): Promise<boolean> {
  const file = join(folder, 'package.json')
  if (!(await exists(file))) return false
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw unreadable(file, error)
  }
  if (!text.includes(`"${PACKAGE_KEY}"`)) return false
  const content = parseJson(text, file)
  if (typeof content !== 'object' || content === null || !Object.hasOwn(content, PACKAGE_KEY)) return false
  return !isOfPlugin((content as Record<string, unknown>)[PACKAGE_KEY])
}

/** Packages of plugins say under the same key which commands they bring. */
function isOfPlugin(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'commands'
}
