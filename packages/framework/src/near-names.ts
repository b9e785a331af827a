/** Edit distance (Levenshtein), cut off above `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}

/** Up to three of `candidates` that a mistyped `name` may have meant, nearest first. */
export function nearNames(name: string, candidates: Iterable<string>): string[] {
  const wanted = name.slice(0, 64).toLowerCase()
  const limit = Math.max(1, Math.floor(wanted.length / 3))
  return [...candidates]
    .map((candidate) => ({ candidate, edits: distance(wanted, candidate.toLowerCase(), limit) }))
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
