/** A module of the built plugin that it does not export, by its path from `dist`. */
export function internal(path) {
  return import(new URL(path, import.meta.resolve('@dicomtap/plugin-query-retrieve')).href)
}
