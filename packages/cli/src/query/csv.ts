// DICOM text has none of these (PS3.5 6.1.3), and a terminal would obey them.
const STEERING = /[^\P{Cc}\t\r\n]+/gu

/** Spreadsheets take text for a formula by its first character, full-width ones too; a number harms nobody. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/u
const NUMBER = /^\s*[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?\s*$/iu

/** A line of CSV (RFC 4180). Unless it is to be raw, no cell is a formula to a spreadsheet. */
export function csvLine(cells: readonly string[], isRaw: boolean = false): string {
  return cells
    .map((cell) => cell.replace(STEERING, ' '))
    .map((cell) => (!isRaw && FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell))
    .map((cell) => (/[",\r\n]/u.test(cell) || cell !== cell.trim() ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(',')
}
