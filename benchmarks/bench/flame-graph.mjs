import { svg, escapeXml } from './svg.mjs'

const WIDTH = 1000
const ROW = 16
const TOP = 52
/** Narrower ones are left out: they cannot be seen, and the picture stays small. */
const LEAST_PX = 1
const LEAST_TEXT_PX = 34
const CHARACTER_PX = 6.1
const DEPTH = 34
/** Not work. */
const IDLE = new Set(['(idle)', '(program)'])
/** Who takes the profile is no part of it. */
const PROFILER = 'bench/profiled.mjs'

const STYLE = `
.ground{fill:#fff}text{font:10px ui-monospace,monospace;fill:#1f2328;pointer-events:none}.title{font:600 14px system-ui,sans-serif}.small{font:11px system-ui,sans-serif;fill:#57606a}
rect{stroke:#fff;stroke-width:.5}.o{fill:#ffd8a8}.f{fill:#a5d8ff}.n{fill:#d0d7de}.g{fill:#ffc9c9}.l{fill:#b2f2bb}
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}.title{fill:#e6edf3}.small{fill:#9198a1}rect{stroke:#0d1117}}`

/** Whose code a frame is: colour and words of the legend. */
const KINDS = {
  f: 'dicomtap',
  l: 'other packages',
  n: 'Node',
  g: 'garbage collection',
  o: 'native, compiler',
}

/**
 * A .cpuprofile as a flame graph: width is time, callers stand below. Idle time is left out.
 * @param profile as Chrome DevTools and `node --cpu-prof` write it
 */
export function flameGraph(profile, title) {
  const root = merged(profile)
  const parts = []
  let deepest = 0
  const place = (frame, x, depth) => {
    const width = (frame.time / root.time) * WIDTH
    if (width < LEAST_PX || depth > DEPTH) return
    deepest = Math.max(deepest, depth)
    parts.push({ x, depth, width, frame })
    let at = x
    for (const child of [...frame.children.values()].sort((a, b) => b.time - a.time)) {
      place(child, at, depth + 1)
      at += (child.time / root.time) * WIDTH
    }
  }
  let at = 0
  for (const child of [...root.children.values()].sort((a, b) => b.time - a.time)) {
    place(child, at, 0)
    at += (child.time / root.time) * WIDTH
  }
  const height = TOP + (deepest + 1) * ROW + 8
  const body = parts.map(({ x, depth, width, frame }) => {
    const y = height - 8 - (depth + 1) * ROW
    const label = width < LEAST_TEXT_PX ? '' : `<text x="${short(x + 2)}" y="${y + 11.5}">${escapeXml(clip(frame.name, width))}</text>`
    const words = `${frame.name} ${frame.place}: ${((frame.time / root.time) * 100).toFixed(1)} %`
    return `<g><title>${escapeXml(words)}</title><rect class="${frame.kind}" x="${short(x)}" y="${y}" width="${short(width)}" height="${ROW}"/>${label}</g>`
  })
  let legendX = 12
  const legend = Object.entries(KINDS).map(([kind, words]) => {
    const part = `<rect class="${kind}" x="${legendX}" y="32" width="12" height="12"/><text class="small" x="${legendX + 17}" y="42">${words}</text>`
    legendX += 40 + words.length * 6.5
    return part
  })
  const head = `<text class="title" x="12" y="20">${escapeXml(title)}: ${(root.time / 1e6).toFixed(2)} s of work</text>${legend.join('')}`
  return svg(WIDTH, height, `Flame graph: ${title}`, head + body.join(''), STYLE)
}

/** `[{ name, share }]`, the most first: where the time is spent itself, callees not counted. */
export function selfTimes(profile) {
  const times = new Map()
  let all = 0
  eachSample(profile, (stack, time) => {
    const { name, place } = described(stack.at(-1), stack.at(-2))
    const key = place === '' ? name : `${name} ${place}`
    times.set(key, (times.get(key) ?? 0) + time)
    all += time
  })
  return [...times].map(([name, time]) => ({ name, share: Math.round((time / all) * 1000) / 1000 })).sort((a, b) => b.share - a.share)
}

function merged(profile) {
  const root = { time: 0, children: new Map() }
  eachSample(profile, (stack, time) => {
    root.time += time
    let at = root
    for (const callFrame of stack) {
      const { name, place, kind } = described(callFrame)
      const key = `${name} ${place}`
      let child = at.children.get(key)
      if (child === undefined) at.children.set(key, (child = { name, place, kind, time: 0, children: new Map() }))
      child.time += time
      at = child
    }
  })
  return root
}

/** Calls back with the frames from the outermost on, and the microseconds, of each sample that is work. */
function eachSample({ nodes, samples, timeDeltas }, callback) {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])))
  const stacks = new Map()
  const stackOf = (id) => {
    let stack = stacks.get(id)
    if (!stacks.has(id)) {
      const { callFrame } = byId.get(id)
      const below = parents.has(id) ? stackOf(parents.get(id)) : []
      const isProfiler = callFrame.url.endsWith(PROFILER)
      stacks.set(id, (stack = below === undefined || isProfiler ? undefined : callFrame.functionName === '(root)' ? [] : [...below, callFrame]))
    }
    return stack
  }
  samples.forEach((id, index) => {
    const stack = stackOf(id)
    if (stack !== undefined && stack.length > 0 && !IDLE.has(stack.at(-1).functionName)) callback(stack, Math.max(0, timeDeltas[index]))
  })
}

function described({ functionName, url, lineNumber }, caller) {
  const name = functionName === '' ? '(anonymous)' : functionName
  if (name === '(garbage collector)') return { name, place: '', kind: 'g' }
  if (url === '') return { name: caller === undefined || name.startsWith('(') ? name : `${name}, called by ${caller.functionName}`, place: '', kind: 'o' }
  const [, packageName, file] = /(?:node_modules\/(?:@dicomtap\/)?|packages\/)([^/]+)\/(?:dist\/)?(.+)$/.exec(url) ?? []
  if (url.startsWith('node:')) return { name, place: url, kind: 'n' }
  if (packageName === undefined) return { name, place: url.split('/').slice(-2).join('/'), kind: 'f' }
  return { name, place: `${packageName}/${file}:${lineNumber + 1}`, kind: /\/packages\/|@dicomtap/.test(url) && !/\/packages\/[^/]+\/node_modules/.test(url) ? 'f' : 'l' }
}

function clip(text, width) {
  const most = Math.floor((width - 4) / CHARACTER_PX)
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`
}

function short(value) {
  return Math.round(value * 10) / 10
}
