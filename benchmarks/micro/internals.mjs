/**
 * A module of the framework that is not exported: what a layer costs on its own cannot be seen from outside.
 * @param path as in its sources, e.g. `hooks/run.js`.
 */
export function internal(path) {
  return import(new URL(path, import.meta.resolve('@dicomtap/framework')).href)
}
