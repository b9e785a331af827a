// DICOM text has none of these (PS3.5 6.1.3), and a terminal would obey them.
const STEERING = /[^\P{Cc}\t\r\n]+/gu

/** A line of CSV (RFC 4180). */
export function csvLine(cells: readonly string[]): string {
  return cells
    .map((cell) => cell.replace(STEERING, ' '))
    .map((cell) => (/[",\r\n]/u.test(cell) || cell !== cell.trim() ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(',')
}
