// Makes a copy of the built framework and its fuzz targets that counts what it executes: each block of code
// increments a counter of its own. Counting in the code costs some percent; V8's precise coverage costs half
// a millisecond for each input, which is twenty times what a decoder takes. The copy lies below .fuzz, from
// where packages are found as from the original.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { parse } from '@babel/parser'
import { ROOT } from '../workspaces.mjs'

const FRAMEWORK = join(ROOT, 'packages/framework')
/** Below `dist`: code that reads what peers send. Generated tables have no branches. */
const COUNTED = /^(pdu|dataset|dimse|acse)\//
const TABLES = /(registry|sop-classes|transfer-syntaxes|query-models|presentation-context-lists|status-names)\.js$/
/** Of the built tests: the targets and what they import. */
const TESTS = ['fuzz/targets', 'fixtures', 'support', 'pdu/recorder.js']

/**
 * @param {string} folder made anew
 * @returns {{ counters: number, words: string[] }} how many blocks there are, and constants of the code as
 * hexadecimal bytes: what it compares its input with
 */
export function instrument(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  cpSync(join(FRAMEWORK, 'package.json'), join(folder, 'package.json'))
  for (const path of TESTS) cpSync(join(FRAMEWORK, 'dist-test', path), join(folder, 'dist-test', path), { recursive: true })
  const state = { counters: 0, words: new Set() }
  const canary = join(folder, 'dist-test/fuzz/targets/canary.js')
  writeFileSync(canary, counted(readFileSync(canary, 'utf8'), state))
  state.words.clear()
  const dist = join(FRAMEWORK, 'dist')
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue
    const file = join(entry.parentPath, entry.name)
    const path = relative(dist, file)
    const source = readFileSync(file, 'utf8')
    const target = join(folder, 'dist', path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, COUNTED.test(path) && !TABLES.test(path) ? counted(source, state) : source)
  }
  return { counters: state.counters, words: [...state.words] }
}

/** The source with counters; lines stay where they were. */
function counted(source, state) {
  const insertions = []
  const insert = (at, text) => insertions.push({ at, text })
  const count = () => `__count[${state.counters++}]++`
  const statement = (node, after = '') => {
    const isBlock = node.type === 'BlockStatement'
    insert(isBlock ? node.start + 1 : node.start, isBlock ? `${count()};` : `{${count()};`)
    if (!isBlock || after !== '') insert(node.end, isBlock ? after : `}${after}`)
  }
  const expression = (node) => {
    insert(node.start, `(${count()},`)
    insert(node.end, ')')
  }
  const visit = (node) => {
    switch (node.type) {
      case 'ArrowFunctionExpression':
        if (node.body.type === 'BlockStatement') statement(node.body)
        else expression(node.body)
        break
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ObjectMethod':
      case 'ClassMethod':
      case 'ClassPrivateMethod':
      case 'CatchClause':
      case 'ForStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
        statement(node.body)
        break
      case 'IfStatement':
        statement(node.consequent, node.alternate ? '' : ` else {${count()}}`)
        if (node.alternate) statement(node.alternate)
        break
      case 'SwitchCase':
        insert(node.consequent[0]?.start ?? node.end, `${count()};`)
        break
      case 'ConditionalExpression':
        expression(node.consequent)
        expression(node.alternate)
        break
      case 'LogicalExpression':
        expression(node.right)
        break
      case 'NumericLiteral':
        for (const word of numberWords(node.value)) state.words.add(word)
        break
      case 'StringLiteral':
        if (node.value.length > 1 && node.value.length <= 32) state.words.add(Buffer.from(node.value, 'latin1').toString('hex'))
        break
    }
  }
  walk(parse(source, { sourceType: 'module' }).program, visit)
  // Of two at one place the one that belongs to the inner node goes in between: it was noted later.
  const text = insertions
    .map((insertion, order) => ({ ...insertion, order }))
    .sort((a, b) => a.at - b.at || (isClosing(a.text) && isClosing(b.text) ? b.order - a.order : a.order - b.order))
  let out = 'const __count = globalThis.__fuzzCounters;'
  let at = 0
  for (const { at: place, text: inserted } of text) {
    out += source.slice(at, place) + inserted
    at = place
  }
  return out + source.slice(at)
}

const isClosing = (text) => /^[)} ]/.test(text)

function walk(node, visit) {
  if (node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration') return
  visit(node)
  for (const key of Object.keys(node)) {
    if (key === 'loc' || key.endsWith('Comments') || key === 'extra') continue
    const value = node[key]
    if (Array.isArray(value)) for (const child of value) if (typeof child?.type === 'string') walk(child, visit)
    if (typeof value?.type === 'string') walk(value, visit)
  }
}

/** A tag is written group first, each little endian (PS3.5 7.1); all else in both byte orders. */
function numberWords(value) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) return []
  const word = Buffer.alloc(4)
  if (value > 0xffff) {
    word.writeUInt16LE(value >>> 16, 0)
    word.writeUInt16LE(value & 0xffff, 2)
    const bigEndian = Buffer.alloc(4)
    bigEndian.writeUInt32BE(value)
    return [word.toString('hex'), bigEndian.toString('hex')]
  }
  word.writeUInt16LE(value)
  const bytes = word.toString('hex', 0, 2)
  return value > 0xff ? [bytes, bytes.slice(2) + bytes.slice(0, 2)] : [bytes, bytes.slice(0, 2)]
}
