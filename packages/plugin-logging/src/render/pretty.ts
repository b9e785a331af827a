import { inspect } from 'node:util'
import type { LogLevel } from '@dicomtap/framework'
import { DETAILS, IS_SENTENCE } from '../entry.ts'
import type { LogEntry } from '../entry.ts'

const IN_COLUMNS = new Set(['time', 'level', 'area', 'message', 'association', 'messageId'])
const COLOURS: Readonly<Record<LogLevel, keyof typeof inspect.colors>> = {
  error: 'red',
  warn: 'yellow',
  info: 'green',
  debug: 'cyan',
  trace: 'gray',
}

/**
 * `2026-03-09 10:42:15.020 info  acse   a1/7  message  name=value`: local time, level, area (or the plugin),
 * association and message id, message, the other fields.
 */
export function renderPretty(entry: LogEntry, isColoured: boolean): string {
  const { level, message } = entry
  const tag = level.padEnd(5)
  const head = `${localTime(entry.time)} ${isColoured ? paint(tag, COLOURS[level]) : tag} ${source(entry).padEnd(6)} ${ids(entry).padEnd(6)} `
  const fields = entry[IS_SENTENCE] === true ? '' : renderFields(entry, isColoured)
  const details = entry[DETAILS]
  const line = `${head}${withoutControls(message)}${fields}`
  return details === undefined ? line : [line, ...details.map((detail) => `    ${withoutControls(detail)}`)].join('\n')
}

function source({ area, plugin }: LogEntry): string {
  return area === 'plugin' && typeof plugin === 'string' ? withoutControls(plugin) : area
}

function ids({ association, messageId }: LogEntry): string {
  if (association === undefined) return messageId === undefined ? '' : `#${messageId}`
  return messageId === undefined ? association : `${association}/${messageId}`
}

function renderFields(entry: LogEntry, isColoured: boolean): string {
  let text = ''
  for (const name of Object.keys(entry)) {
    if (IN_COLUMNS.has(name) || (name === 'plugin' && entry.area === 'plugin')) continue
    const label = `${name}=`
    text += ` ${isColoured ? paint(label, 'dim') : label}${renderValue(entry[name])}`
  }
  return text
}

function renderValue(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@+()-]+$/.test(value) ? value : withoutControls(JSON.stringify(value))
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return withoutControls(JSON.stringify(value))
}

/** Titles come from the peer: no line breaks, escape sequences or text direction marks get through. */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
const ALL_CONTROLS = new RegExp(CONTROLS, 'g')

function withoutControls(text: string): string {
  if (!CONTROLS.test(text)) return text
  return text.replace(ALL_CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function paint(text: string, colour: keyof typeof inspect.colors): string {
  const [on, off] = inspect.colors[colour] ?? [0, 0]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

let lastSecond = -1
let lastText = ''

/** `2026-03-09 10:42:15.020` on this machine's clock; the date is worked out once a second. */
function localTime(iso: string): string {
  const milliseconds = Date.parse(iso)
  const second = Math.floor(milliseconds / 1000)
  if (second !== lastSecond) {
    const date = new Date(milliseconds)
    const two = (value: number): string => String(value).padStart(2, '0')
    lastSecond = second
    lastText = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  }
  return `${lastText}${iso.slice(-5, -1)}`
}
