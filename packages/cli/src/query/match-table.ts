import { cut, padEnd, textWidth } from './text-width.ts'

/** A column of a table: what stands above it, and whether its values are long, and useless when cut. */
export interface TableColumn {
  readonly title: string
  readonly isUid: boolean
}
export interface TableOptions {
  /** Columns of the terminal; undefined when nothing is to be cut. */
  readonly width: number | undefined
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
}

const GAP = '  '
const LEAST_WIDTH = 8

/** Prints rows under one header as they come. */
export interface MatchTable {
  /** The lines of further rows. The first call also gives the header, and decides how wide columns are. */
  lines(rows: readonly (readonly string[])[]): string[]
}

/**
 * A table of matches. On a terminal that is too narrow, UIDs get lines of their own below their row, so that
 * they can still be copied, and other values are cut.
 */
export function matchTable(columns: readonly TableColumn[], options: TableOptions): MatchTable {
  let layout: Layout | undefined
  return {
    lines(rows) {
      const isFirst = layout === undefined
      layout ??= layoutOf(columns, rows, options.width)
      const { widths, below } = layout
      // Rows that come later may be wider than those that were measured.
      const fit = (cell: string, width: number): string => padEnd(options.width === undefined ? cell : cut(cell, width), width)
      const line = (cells: readonly string[]): string =>
        widths
          .flatMap((width, index) => (below.has(index) ? [] : [fit(cells[index] ?? '', width)]))
          .join(GAP)
          .trimEnd()
      const uidLines = (cells: readonly string[]): string[] =>
        [...below].filter((index) => (cells[index] ?? '') !== '').map((index) => options.dim(`${GAP}${columns[index]?.title} ${cells[index]}`))
      const header = isFirst ? line(columns.map(({ title }) => title)) : ''
      return [
        ...(header === '' ? [] : [options.bold(header)]),
        ...rows.flatMap((cells) => [line(cells), ...uidLines(cells)].filter((text) => text !== '')),
      ]
    },
  }
}

interface Layout {
  readonly widths: readonly number[]
  /** Columns that stand below their row. */
  readonly below: ReadonlySet<number>
}

function layoutOf(columns: readonly TableColumn[], rows: readonly (readonly string[])[], available: number | undefined): Layout {
  const natural = columns.map(({ title }, index) => {
    return rows.reduce((width, cells) => Math.max(width, textWidth(cells[index] ?? '')), textWidth(title))
  })
  if (available === undefined || total(natural) <= available) return { widths: natural, below: new Set() }
  const below = new Set(columns.flatMap(({ isUid }, index) => (isUid ? [index] : [])))
  const widths = [...natural]
  const shown = (): number[] => widths.filter((_, index) => !below.has(index))
  while (total(shown()) > available) {
    const widest = Math.max(...shown())
    if (widest <= LEAST_WIDTH) break
    const index = widths.findIndex((width, at) => width === widest && !below.has(at))
    widths[index] = widest - 1
  }
  return { widths, below }
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1)
}
