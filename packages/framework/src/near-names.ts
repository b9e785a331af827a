/** Edits between two words; two swapped neighbours count as one. Cut off above `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  const rows: number[][] = []
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity
  for (let row = 0; row <= a.length; row++) {
    const current: number[] = (rows[row] = [])
    for (let column = 0; column <= b.length; column++) {
      const replaced = at(row - 1, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const swapped = isSwap ? at(row - 2, column - 2) + 1 : Infinity
      const edits = Math.min(replaced, swapped, at(row - 1, column) + 1, at(row, column - 1) + 1)
      current.push(row === 0 && column === 0 ? 0 : edits)
    }
  }
  return at(a.length, b.length)
}

/** Up to three of `candidates` that a mistyped `name` may have meant, nearest first. */
export function nearNames(name: string, candidates: Iterable<string>): string[] {
  const wanted = name.slice(0, 64).toLowerCase()
  const limit = Math.max(1, Math.floor(wanted.length / 3))
  const editsTo = (candidate: string): number =>
    wanted.length > 2 && candidate.startsWith(wanted) ? 1 : distance(wanted, candidate, limit)
  return [...candidates]
    .map((candidate) => ({ candidate, edits: editsTo(candidate.toLowerCase()) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}

/** `; did you mean cStore?`, or nothing when no candidate is near. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const near = nearNames(name, candidates)
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`
}
