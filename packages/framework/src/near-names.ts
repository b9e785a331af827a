/** Edits between two words; two swapped neighbours count as one. Cut off above `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let row = 1; row <= a.length; row++) {
    const previous = rows[row - 1]!
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const swapped = isSwap ? rows[row - 2]![column - 2]! + 1 : Infinity
      current.push(Math.min(replaced, swapped, previous[column]! + 1, current[column - 1]! + 1))
    }
    rows.push(current)
  }
  return rows[a.length]![b.length]!
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
