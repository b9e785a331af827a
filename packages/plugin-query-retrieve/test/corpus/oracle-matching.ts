import type { DumpedElement } from './dump.ts'

/** Whether a key matches (PS3.4 C.2.2.2), without extended negotiation. */
export function matches(key: DumpedElement, value: DumpedElement | undefined): boolean {
  if (key.items !== undefined) return matchesSequence(key, value)
  const wanted = key.text.trim()
  if (wanted === '') return true
  const values = (value?.text ?? '').split('\\').map((text) => text.trim()).filter((text) => text !== '')
  switch (key.vr) {
    case 'UI':
      return wanted.split('\\').some((uid) => values.includes(uid.trim()))
    case 'DA':
      return values.some((text) => isWithin(text, wanted, '99991231'))
    case 'TM':
      return values.some((text) => isWithin(text, wanted, '235959999999'))
    case 'PN':
      return /^\*+$/.test(wanted) || values.some((name) => matchesName(wanted, name))
    case 'IS':
    case 'US':
      return values.some((text) => Number(text) === Number(wanted))
    default:
      return /^\*+$/.test(wanted) || values.some((text) => pattern(wanted).test(text))
  }
}

/** One item that matches all keys of the item (PS3.4 C.2.2.2.6). */
function matchesSequence(key: DumpedElement, value: DumpedElement | undefined): boolean {
  const [wanted] = key.items ?? []
  if (wanted === undefined || [...wanted.values()].every(isUniversal)) return true
  return (value?.items ?? []).some((item) => [...wanted].every(([tag, inner]) => matches(inner, item.get(tag))))
}

function isUniversal(key: DumpedElement): boolean {
  return key.items === undefined ? /^\**$/.test(key.text.trim()) : key.items.every((item) => [...item.values()].every(isUniversal))
}

/** `*` and `?` (PS3.4 C.2.2.2.4); all else stands for itself, case too. */
function pattern(text: string): RegExp {
  const source = [...text].map((char) => ({ '*': '.*', '?': '.' })[char] ?? char.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')).join('')
  return new RegExp(`^${source}$`, 'su')
}

/** Inclusive; a bound has the precision that it was written with: `-10` is until 105959.999999. */
function isWithin(value: string, wanted: string, latestOf: string): boolean {
  const earliest = (text: string): string => text.replace('.', '').padEnd(latestOf.length, '0')
  const latest = (text: string): string => text.replace('.', '') + latestOf.slice(text.replace('.', '').length)
  const [from = '', to = from] = wanted.split('-')
  return (from === '' || earliest(value) >= earliest(from)) && (to === '' || earliest(value) <= latest(to))
}

/** One group of the key may be any group of the name; several are held against those in their place. */
function matchesName(wanted: string, name: string): boolean {
  const groups = name.split('=')
  const keys = wanted.split('=')
  if (keys.length === 1) return groups.some((group) => group !== '' && matchesGroup(wanted, group))
  return keys.every((key, index) => key === '' || matchesGroup(key, groups[index] ?? ''))
}

function matchesGroup(wanted: string, group: string): boolean {
  return pattern(fold(wanted)).test(fold(group))
}

/** Without case, accents and empty components at the end; the two forms of the small sigma are one letter. */
export function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/[\u0300-\u036f]/g, '').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFC').replace(/\^+$/, '').trim()
}
