import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import TransportStream from 'winston-transport'
import { createDestination } from '../dist/destinations/destination.js'
import { MAXIMUM_BUFFERED_BYTES, createLineDestination } from '../dist/destinations/line-target.js'
import { rotatingFileTarget } from '../dist/destinations/rotating-file.js'
import { standardErrorTarget } from '../dist/destinations/standard-error.js'
import { createEntry } from '../dist/entry.js'
import { LevelTable } from '../dist/levels.js'
import { LogWriter } from '../dist/log-writer.js'
import { renderJson } from '../dist/render/json.js'
import { record } from './fakes.js'

const entry = (message: string) => createEntry({ level: 'info', area: 'server', message, fields: {} })
const inTemporaryFolder = async (): Promise<string> => mkdtemp(path.join(tmpdir(), 'dicomtap-logging-'))

/** A stream that takes nothing until `resume`. */
function stalledStream(): { stream: NodeJS.WriteStream; resume(): void; written(): string } {
  const held: (() => void)[] = []
  let isStalled = true
  let text = ''
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += chunk
      if (isStalled) held.push(done)
      else done()
    },
  })
  return {
    stream: stream as unknown as NodeJS.WriteStream,
    written: () => text,
    resume() {
      isStalled = false
      for (const done of held.splice(0)) done()
    },
  }
}

test('a stalled standard error costs lines, not memory; it says how many when it goes on', async (t) => {
  const { stream, resume, written } = stalledStream()
  const writer = new LogWriter(new LevelTable('info'), false)
  writer.add(createLineDestination('standard error', standardErrorTarget(stream), ({ message }) => message, () => {}))
  const line = 'x'.repeat(1000)
  for (let i = 0; i < 20_000; i += 1) {
    writer.sink(record(line))
    if (i % 500 === 0) await new Promise(setImmediate)
  }
  t.true(stream.writableLength > MAXIMUM_BUFFERED_BYTES / 2)
  t.true(stream.writableLength <= MAXIMUM_BUFFERED_BYTES + 2000)
  const drained = once(stream, 'drain')
  resume()
  await drained
  writer.sink(record('back'))
  await writer.close()
  const [, dropped] = /(\d+) log lines were dropped: standard error/.exec(written()) ?? []
  const kept = written().split('\n').filter((text) => text === line).length
  t.is(kept + Number(dropped), 20_000)
  t.true(written().includes('\nback\n'))
})

test('a server whose standard error is closed lives on', async (t) => {
  const script = `
    import { ApplicationEntity } from '@dicomtap/framework'
    import { logging } from '@dicomtap/plugin-logging'
    const ae = new ApplicationEntity()
    await ae.use(logging({ level: 'trace' }))
    process.stdin.once('data', () => {
      let lines = 0
      const timer = setInterval(() => {
        for (let i = 0; i < 100; i += 1) ae.log.info('a line ' + lines++)
        if (lines < 1000) return
        clearInterval(timer)
        console.log('alive')
        ae.close().then(() => process.exit(0))
      }, 5)
    })
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: path.dirname(fileURLToPath(import.meta.url)) })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output === 'ready\n') {
      child.stderr.destroy()
      child.stdin.write('go\n')
    }
  })
  const [code] = (await once(child, 'close')) as [number]
  t.is(output, 'ready\nalive\n')
  t.is(code, 0)
})

test('a file is rotated without losing a line, also in a burst', async (t) => {
  const folder = await inTemporaryFolder()
  const target = await rotatingFileTarget({
    path: path.join(folder, 'logs/dicom.log'),
    maximumBytes: 100_000,
    maximumFiles: 50,
    compress: false,
    mode: '640',
    closeDeadlineMs: 30_000,
    onError: (error) => t.fail(error.message),
  })
  const destination = createLineDestination('file', target, ({ message }) => message, (error) => t.fail(error.message))
  const lines = 20_000
  for (let i = 0; i < lines; i += 1) {
    destination.write(entry(`line ${i} of a burst ${'.'.repeat(60)}`))
    if (i % 200 === 0) await new Promise(setImmediate)
  }
  await destination.close()
  t.is(destination.dropped, 0)
  const files = await readdir(path.join(folder, 'logs'))
  t.true(files.length > 10)
  const numbers: number[] = []
  // dicom.log.2 is older than dicom.log.1, which is older than dicom.log
  for (const file of files.toSorted((a, b) => age(b) - age(a))) {
    const text = await readFile(path.join(folder, 'logs', file), 'utf8')
    t.true(text.endsWith('\n'))
    numbers.push(...text.trimEnd().split('\n').map((line) => Number(line.split(' ')[1])))
  }
  t.deepEqual(numbers, Array.from({ length: lines }, (_, i) => i))
  t.is((await stat(path.join(folder, 'logs/dicom.log'))).mode & 0o777 & ~0o640, 0)
  await rm(folder, { recursive: true })
})

const age = (file: string): number => Number(/\.(\d+)$/.exec(file)?.[1] ?? 0)

test('only so many files are kept, older ones compressed when asked', async (t) => {
  const folder = await inTemporaryFolder()
  const options = { maximumBytes: 10_000, maximumFiles: 3, compress: true, mode: '600', closeDeadlineMs: 30_000, onError: (error: Error) => t.fail(error.message) }
  const target = await rotatingFileTarget({ path: path.join(folder, 'dicom.log'), ...options })
  for (let i = 0; i < 60; i += 1) target.write(`${'x'.repeat(999)}\n`)
  await target.close()
  t.deepEqual((await readdir(folder)).toSorted(), ['dicom.log', 'dicom.log.1.gz', 'dicom.log.2.gz'])
  await rm(folder, { recursive: true })
})

test('a file that cannot be opened is an error at once', async (t) => {
  const folder = await inTemporaryFolder()
  await writeFile(path.join(folder, 'file'), '')
  const options = { maximumBytes: 10_000, maximumFiles: 3, compress: false, mode: '600', onError: () => {} }
  await t.throwsAsync(rotatingFileTarget({ path: path.join(folder, 'file/dicom.log'), ...options }))
  await t.throwsAsync(rotatingFileTarget({ path: folder, ...options }))
  await rm(folder, { recursive: true })
})

test('a file that fails later is reported once, tried again, and the lines lost are counted', async (t) => {
  const folder = await inTemporaryFolder()
  const errors: Error[] = []
  let onError = (_error: Error): void => {}
  const failed = new Promise<void>((resolve) => {
    onError = (error) => {
      errors.push(error)
      resolve()
    }
  })
  const file = path.join(folder, 'dicom.log')
  // Rotation fails: where the full file should go stands a folder that is not empty.
  await mkdir(`${file}.1/in the way`, { recursive: true })
  const target = await rotatingFileTarget({ path: file, maximumBytes: 2000, maximumFiles: 2, compress: false, mode: '600', onError, retryMs: 0 })
  target.write(`${'x'.repeat(3000)}\n`)
  await failed
  target.write('tried again, and lost\n')
  await new Promise(setImmediate)
  await rm(`${file}.1`, { recursive: true })
  let isBack = false
  for (let i = 0; i < 200 && !isBack; i += 1) {
    target.write(`back ${i}\n`)
    await new Promise((resolve) => setTimeout(resolve, 5))
    isBack = (await readFile(file, 'utf8').catch(() => '')).includes('back')
  }
  await target.close()
  t.true(isBack)
  t.is(errors.length, 1)
  await rm(folder, { recursive: true })
})

test('a winston transport that stalls costs lines, and holds up no other', async (t) => {
  const taken: string[] = []
  const stalled = new TransportStream({ log: () => {} })
  const working = new TransportStream({
    log(info: { message: string }, next: () => void) {
      taken.push(info.message)
      next()
    },
  })
  const writer = new LogWriter(new LevelTable('info'), false)
  const destinations = [stalled, working].map((transport, i) => createDestination({ name: `transport ${i}`, transport, render: renderJson, onError: () => {} }))
  for (const destination of destinations) writer.add(destination)
  for (let i = 0; i < 5000; i += 1) {
    writer.sink(record(`line ${i}`))
    if (i % 100 === 0) await new Promise(setImmediate)
  }
  await destinations[1]!.close()
  t.is(taken.length, 5000)
  t.true(destinations[0]!.dropped > 3000)
})

test('a winston transport that throws ends nothing', async (t) => {
  const errors: string[] = []
  const throwing = new TransportStream({
    log() {
      throw new TypeError('thrown')
    },
  })
  const destination = createDestination({ name: 'x', transport: throwing, render: renderJson, onError: ({ message }) => errors.push(message) })
  for (let i = 0; i < 3; i += 1) destination.write(entry('line'))
  await destination.close()
  t.deepEqual(errors, ['thrown', 'thrown', 'thrown'])
})

test('a winston transport that fails is reported to the others, and never thrown', async (t) => {
  const taken: string[] = []
  const failing: TransportStream = new TransportStream({
    log(_info: unknown, next: () => void) {
      failing.emit('error', Object.assign(new Error('secret of the transport'), { code: 'ECONNREFUSED' }))
      next()
    },
  })
  const working = new TransportStream({
    log(info: { message: string }, next: () => void) {
      taken.push(info.message)
      next()
    },
  })
  const writer = new LogWriter(new LevelTable('info'), false)
  writer.add(createDestination({ name: 'syslog', transport: failing, render: renderJson, onError: (error) => writer.complain('syslog', error) }))
  writer.add(createDestination({ name: 'memory', transport: working, render: renderJson, onError: () => {} }))
  for (let i = 0; i < 3; i += 1) {
    writer.sink(record(`line ${i}`))
    await new Promise(setImmediate)
  }
  t.deepEqual(taken.filter((message) => message.startsWith('line')), ['line 0', 'line 1', 'line 2'])
  t.deepEqual(taken.filter((message) => !message.startsWith('line')), ['the log does not reach syslog: ECONNREFUSED'])
})
