// Charts as SVG, by hand: two kinds are all that the report needs. Colours follow the reader's light or dark scheme; each
// picture brings its own ground, so that it can be read on any page.

const STYLE = `
.ground{fill:#fff}text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:14px}.small{font-size:11px;fill:#57606a}
.axis{stroke:#d0d7de;stroke-width:1}.whisker{stroke:#24292f;stroke-width:1.2;opacity:.7}
.s0{fill:#0969da;stroke:#0969da}.s1{fill:#bc4c00;stroke:#bc4c00}.s2{fill:#1a7f37;stroke:#1a7f37}.s3{fill:#8250df;stroke:#8250df}
.pale{opacity:.45}.line{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9198a1}.axis{stroke:#30363d}.whisker{stroke:#e6edf3}
.s0{fill:#4493f8;stroke:#4493f8}.s1{fill:#db6d28;stroke:#db6d28}.s2{fill:#3fb950;stroke:#3fb950}.s3{fill:#ab7df8;stroke:#ab7df8}}`

const WIDTH = 820
const LABEL_WIDTH = 190
const VALUE_WIDTH = 170
const BAR = 14
const GAP = 10

export function escapeXml(text) {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

export function svg(width, height, title, body, style = STYLE) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}"><title>${escapeXml(title)}</title><style>${style}</style><rect class="ground" width="${width}" height="${height}" rx="6"/>${body}</svg>\n`
}

/**
 * Bars with the range of the repetitions as whiskers.
 * @param rows `{ label, isSubject, bars: [{ phase, median, least, most }] }`; of a warm bar the colour is full, of a cold one pale
 */
export function barChart({ title, unit, rows, digits = 0, isLessBetter = false }) {
  const most = Math.max(...rows.flatMap(({ bars }) => bars.map((bar) => bar.most)))
  const left = LABEL_WIDTH + 20
  const span = WIDTH - left - VALUE_WIDTH
  const scale = (value) => left + (value / most) * span
  const parts = [text(16, 24, title, 'title'), text(16, 42, `${unit}; ${isLessBetter ? 'less' : 'more'} is better; median, and range of the repetitions`, 'small')]
  let y = 60
  for (const { label, isSubject, bars } of rows) {
    const height = bars.length * (BAR + 2)
    parts.push(text(LABEL_WIDTH + 10, y + height / 2 + 4, label, '', 'end'))
    for (const bar of bars) {
      const middle = y + BAR / 2
      parts.push(`<rect class="${isSubject ? 's0' : 's1'}${bar.phase === 'cold' ? ' pale' : ''}" stroke="none" x="${left}" y="${y}" width="${one(scale(bar.median) - left)}" height="${BAR}"/>`)
      if (bar.most > bar.least) {
        parts.push(`<path class="whisker" d="M${one(scale(bar.least))} ${middle}H${one(scale(bar.most))}M${one(scale(bar.least))} ${middle - 4}v8M${one(scale(bar.most))} ${middle - 4}v8"/>`)
      }
      parts.push(text(scale(bar.most) + 8, middle + 4, `${bar.median.toFixed(digits)} ${bar.phase}`, 'small'))
      y += BAR + 2
    }
    y += GAP
  }
  return svg(WIDTH, y + 6, title, parts.join(''))
}

/**
 * Lines over two logarithmic axes.
 * @param series `{ name, points: [[x, y], ...] }`, at most four
 * @param xTicks `[value, name]`
 */
export function lineChart({ title, xName, yName, series, xTicks }) {
  const [left, top, right, bottom, height] = [78, 62, 150, 50, 340]
  const points = series.flatMap((one) => one.points).filter(([, y]) => y > 0)
  const log = Math.log10
  const [xLow, xHigh] = [log(xTicks[0][0]), log(xTicks.at(-1)[0])]
  const yLow = Math.floor(log(Math.min(...points.map(([, y]) => y))))
  const yHigh = Math.max(yLow + 1, Math.ceil(log(Math.max(...points.map(([, y]) => y)))))
  const x = (value) => left + ((log(value) - xLow) / (xHigh - xLow)) * (WIDTH - left - right)
  const y = (value) => top + (1 - (log(value) - yLow) / (yHigh - yLow)) * (height - top - bottom)
  const parts = [text(16, 24, title, 'title'), text(16, 44, yName, 'small')]
  for (let power = yLow; power <= yHigh; power++) {
    const at = one(y(10 ** power))
    parts.push(`<path class="axis" d="M${left} ${at}H${WIDTH - right}"/>`, text(left - 8, at + 4, plain(10 ** power), 'small', 'end'))
  }
  for (const [value, name] of xTicks) {
    parts.push(`<path class="axis" d="M${one(x(value))} ${top}V${height - bottom}"/>`, text(x(value), height - bottom + 18, name, 'small', 'middle'))
  }
  parts.push(text((left + WIDTH - right) / 2, height - 12, xName, 'small', 'middle'))
  series.forEach(({ name, points: own }, index) => {
    const known = own.filter(([, value]) => value > 0)
    if (known.length === 0) return
    const path = known.map(([a, b]) => `${one(x(a))} ${one(y(b))}`).join('L')
    parts.push(`<path class="line s${index % 4}" style="fill:none" d="M${path}"/>`)
    for (const [a, b] of known) parts.push(`<circle class="s${index % 4}" cx="${one(x(a))}" cy="${one(y(b))}" r="3"/>`)
    parts.push(`<rect class="s${index % 4}" x="${WIDTH - right + 14}" y="${top + index * 20}" width="10" height="10"/>`, text(WIDTH - right + 30, top + 9 + index * 20, name, 'small'))
  })
  return svg(WIDTH, height, title, parts.join(''))
}

function text(x, y, words, className = '', anchor = 'start') {
  return `<text x="${one(x)}" y="${one(y)}"${className === '' ? '' : ` class="${className}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escapeXml(words)}</text>`
}

function one(value) {
  return Math.round(value * 10) / 10
}

function plain(value) {
  return value >= 1 ? value.toLocaleString('en') : String(value)
}
