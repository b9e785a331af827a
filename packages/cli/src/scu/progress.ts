/** How often the line is drawn. */
const REDRAW_MS = 100
const BAR_CELLS = 24

/** What a progress line shows; `total` is undefined until it is known. */
export interface ProgressState {
  readonly done: number
  readonly total?: number | undefined
  readonly bytes?: number | undefined
  /** e.g. `2 failed`. */
  readonly remark?: string | undefined
}

/** One line at the bottom of the terminal, and what is printed above it. */
export interface Progress {
  /** `state` is only asked for when the line is drawn. */
  update(state: () => ProgressState): void
  /** Prints above the line. */
  above(print: () => void): void
  /** Takes the line away. */
  end(): void
}

const SILENT: Progress = { update: () => {}, above: (print) => print(), end: () => {} }

/** @param unit in the plural, e.g. `files`. */
export function createProgress(unit: string, stream: NodeJS.WriteStream, isWanted: boolean): Progress {
  if (!isWanted || !stream.isTTY || process.env['TERM'] === 'dumb') return SILENT
  const startedAt = performance.now()
  let drawnAt = 0
  let isShown = false
  let last: (() => ProgressState) | undefined
  const clear = (): void => {
    if (isShown) stream.write('\r\x1b[K')
    isShown = false
  }
  const draw = (): void => {
    if (last === undefined) return
    const text = progressLine(last(), unit, (performance.now() - startedAt) / 1000)
    stream.write(`\r\x1b[K${text.slice(0, Math.max(0, (stream.columns || 80) - 1))}`)
    isShown = true
    drawnAt = performance.now()
  }
  return {
    update(state) {
      last = state
      if (performance.now() - drawnAt >= REDRAW_MS) draw()
    },
    above(print) {
      const wasShown = isShown
      clear()
      print()
      if (wasShown) draw()
    },
    end() {
      clear()
      last = undefined
    },
  }
}

/** `[######      ] 25%  250/1000 files  1.2 GB  85 MB/s  1:12 left  2 failed` */
export function progressLine({ done, total, bytes, remark }: ProgressState, unit: string, seconds: number): string {
  const part = total === undefined || total === 0 ? undefined : Math.min(1, done / total)
  const filled = Math.round((part ?? 0) * BAR_CELLS)
  return [
    part === undefined ? undefined : `[${'#'.repeat(filled)}${' '.repeat(BAR_CELLS - filled)}] ${Math.floor(part * 100)}%`,
    total === undefined ? `${done} ${unit}` : `${done}/${total} ${unit}`,
    bytes === undefined ? undefined : formatBytes(bytes),
    bytes === undefined || seconds < 0.5 ? undefined : `${formatBytes(bytes / seconds)}/s`,
    part === undefined || done === 0 || seconds < 2 ? undefined : `${clock((seconds / part) * (1 - part))} left`,
    remark,
  ]
    .filter((one) => one !== undefined)
    .join('  ')
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Decimal units, as disks and networks count: `512 B`, `1.5 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? Math.round(value) : value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`
}

/** `850 ms`, `12.3 s`, `2 min 05 s` */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor(whole / 60) % 60
  const rest = String(whole % 60).padStart(2, '0')
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`
}
