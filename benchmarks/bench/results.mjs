import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Results by part (a workload, `growth`, `sending` ...), kept in a file so that a report can be made again, and a part
 * measured again, without the others.
 */
export function openResults(file) {
  let parts = {}
  try {
    parts = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  return {
    parts,
    set(name, part) {
      parts[name] = part
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, `${withLines(parts)}\n`)
    },
  }
}

/** One result a line: what changed shows in a diff. */
function withLines(parts) {
  const lines = (list) => (list.length === 0 ? '[]' : `[\n${list.map((one) => `   ${JSON.stringify(one)}`).join(',\n')}\n  ]`)
  const body = Object.entries(parts).map(([name, { results, ...head }]) => {
    return ` ${JSON.stringify(name)}: {\n  "measured": ${JSON.stringify(head.measured)},\n  "results": ${lines(results)}\n }`
  })
  return `{\n${body.join(',\n')}\n}`
}
