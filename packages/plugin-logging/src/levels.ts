import { DicomtapError } from '@dicomtap/framework'
import type { LogArea, LogLevel } from '@dicomtap/framework'

/** A level, or `silent` for no line at all. */
export type Threshold = LogLevel | 'silent'

/** Severities as winston wants them: a line is written when its number is not above the threshold's. */
export const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 }

export const LOG_AREAS: readonly LogArea[] = ['server', 'acse', 'dimse', 'dul', 'plugin']

/** What is written, by area; can be changed at run time. */
export class LevelTable {
  readonly #thresholds: Record<LogArea, Threshold>

  constructor(level: Threshold, levels: { readonly [Area in LogArea]?: Threshold | undefined } = {}) {
    this.#thresholds = { server: level, acse: level, dimse: level, dul: level, plugin: level }
    for (const area of LOG_AREAS) this.#thresholds[area] = levels[area] ?? level
  }

  isEnabled(level: LogLevel, area: LogArea): boolean {
    const threshold = this.#thresholds[area]
    return threshold !== 'silent' && SEVERITY[level] <= SEVERITY[threshold]
  }

  /** Without an area: everywhere. @throws DICOMTAP_ERR_PLG_OPTIONS */
  set(level: Threshold, area?: LogArea): void {
    if (level !== 'silent' && !Object.hasOwn(SEVERITY, level)) throw unknownName('level', level, ['silent', ...Object.keys(SEVERITY)])
    if (area !== undefined && !LOG_AREAS.includes(area)) throw unknownName('area', area, LOG_AREAS)
    for (const each of area === undefined ? LOG_AREAS : [area]) this.#thresholds[each] = level
  }

  current(): Record<LogArea, Threshold> {
    return { ...this.#thresholds }
  }
}

function unknownName(kind: string, name: unknown, known: readonly string[]): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `There is no log ${kind} '${String(name)}', only ${known.join(', ')}`)
}
