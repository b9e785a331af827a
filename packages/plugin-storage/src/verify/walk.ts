import { opendir } from 'node:fs/promises'
import path from 'node:path'
import { RESERVED_FOLDER } from '../path-template.ts'
import { systemCode } from '../file-system.ts'

/** A folder or file that could not be looked at. */
export interface UnreadableFolder {
  readonly relativePath: string
  readonly code: string
}

/**
 * Every file below the storage folder, with `/`, in no order; the plugin's own and links are left out. Entries are
 * read some at a time, so that a folder may have millions.
 */
export async function* walkFiles(root: string, onUnreadable: (folder: UnreadableFolder) => void): AsyncGenerator<string> {
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for await (const entry of await opendir(path.join(root, folder), { bufferSize: 512 })) {
        if (folder === '' && entry.name.toLowerCase() === RESERVED_FOLDER) continue
        const relativePath = folder === '' ? entry.name : `${folder}/${entry.name}`
        if (entry.isDirectory()) folders.push(relativePath)
        else if (entry.isFile()) yield relativePath
      }
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      // Removed while this runs.
      if (code !== 'ENOENT') onUnreadable({ relativePath: folder, code })
    }
  }
}
