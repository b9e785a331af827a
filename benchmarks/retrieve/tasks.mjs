import { processUsage, round, usageSince } from '../load/process-usage.mjs'
import { openRequestor } from '../load/requestor.mjs'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES } from '../load/uids.mjs'
import { identifierOf } from '../query/queries.mjs'
import { DESTINATION } from './archives.mjs'

const KIB = 1024
const MIB = 1024 * KIB
const STUDY_ROOT_MOVE = '1.2.840.10008.5.1.4.1.2.2.2'
const STUDY_ROOT_GET = '1.2.840.10008.5.1.4.1.2.2.3'
const SAMPLE_MS = 200
/** How often objects are stored, and a study is retrieved, before it counts: compilers and caches. */
const WARM_UPS = 3
/** Small ones besides: a compiler wants to see a few thousand, whatever their size. */
const WARM_UP_OBJECTS = 4000
const RETRIEVALS = 3

/** Objects by name: `storeOne` on one association, of which those are retrieved, and four times as many, `storeEight`, on eight. */
export const WORKLOADS = {
  large: (scale) => workload(512 * KIB, 200, scale),
  small: (scale) => workload(8 * KIB, 2000, scale),
}

function workload(size, objects, scale) {
  const count = Math.round(objects * scale)
  const warmUpObjects = Math.ceil(WARM_UP_OBJECTS * Math.min(1, scale))
  const load = (n, associations, bytes = size) => ['store', '--n', String(n), '--size', String(bytes), '--associations', String(associations), '--called', 'BENCHMARK']
  const each = Math.ceil(count / 8)
  return {
    size,
    count,
    what: `${count} objects of ${size / KIB} KiB`,
    whatOfEight: `${8 * 4 * each} objects of ${size / KIB} KiB`,
    // Several at once: each process of a server is to have its part.
    warmUps: [load(Math.ceil(warmUpObjects / 8), 8, 8 * KIB), load(WARM_UPS * each, 8)],
    storeOne: load(count, 1),
    storeEight: load(4 * each, 8),
    storedBytes: ((WARM_UPS + 4) * 8 * each + count) * size + 8 * Math.ceil(warmUpObjects / 8) * 8 * KIB,
  }
}

const RATE = column('MiB/s', ({ mibPerSecond }) => mibPerSecond, 1)
const OBJECTS = column('objects/s', ({ messagesPerSecond }) => messagesPerSecond)
const CPU = column('CPU s/GiB', ({ cpuSecondsPerGib }) => cpuSecondsPerGib, 2)
const PEAK = column('peak RSS MiB', ({ peakRssMib }) => peakRssMib)

/** What is measured on a server that runs, in this order; those that `stores` of each archive, the others of those with an index. */
export const TASKS = {
  store1: {
    stores: true,
    // What is retrieved later.
    isNeeded: true,
    title: ({ what }) => `C-STORE of ${what} on one association`,
    metrics: [OBJECTS, RATE, CPU, PEAK],
    async run(state) {
      const result = await state.store(state.workload.storeOne)
      if (result.failures !== undefined) return { error: `answered ${JSON.stringify(result.failures)}` }
      state.studyInstanceUid = result.studyInstanceUid
      return result
    },
  },
  store8: {
    stores: true,
    title: ({ whatOfEight }) => `C-STORE of ${whatOfEight} on 8 associations`,
    metrics: [OBJECTS, RATE, CPU, PEAK],
    run: (state) => state.store(state.workload.storeEight),
  },
  get: {
    title: ({ what }) => `C-GET of a study of ${what}`,
    metrics: [RATE, OBJECTS, CPU, PEAK],
    run: (state) => retrieve(state, STUDY_ROOT_GET, async (requestor, identifier) => {
      const { status, stores, storedBytes, ms } = await requestor.ask(1, { '0002': STUDY_ROOT_GET, '0100': 0x0010 }, identifier)
      return { status, stores, bytes: storedBytes, ms }
    }),
  },
  move: {
    title: ({ what }) => `C-MOVE of a study of ${what}`,
    metrics: [RATE, OBJECTS, CPU, PEAK],
    run: (state) => retrieve(state, STUDY_ROOT_MOVE, async (requestor, identifier) => {
      const before = state.sink.received()
      const { status, ms } = await requestor.ask(1, { '0002': STUDY_ROOT_MOVE, '0100': 0x0021, '0600': DESTINATION }, identifier)
      const after = state.sink.received()
      return { status, stores: after.messages - before.messages, bytes: after.dataSetBytes - before.dataSetBytes, ms }
    }),
  },
}

/** The study that was stored, several times on one association; the median of those that count. */
async function retrieve({ server, workload: { count, size }, studyInstanceUid }, model, once) {
  if (studyInstanceUid === undefined) throw new Error('nothing was stored')
  const requestor = await openRequestor({
    port: server.port,
    calledAeTitle: 'BENCHMARK',
    callingAeTitle: 'DICOMTAP-LOAD',
    contexts: [
      { abstractSyntax: model, transferSyntax: TRANSFER_SYNTAXES.explicit },
      ...(model === STUDY_ROOT_GET ? [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntax: TRANSFER_SYNTAXES.explicit }] : []),
    ],
    ...(model === STUDY_ROOT_GET ? { scpRoles: [CT_IMAGE_STORAGE] } : {}),
  })
  const identifier = identifierOf('STUDY', { StudyInstanceUID: studyInstanceUid })
  const sampled = samplePeak(server.pid)
  try {
    const runs = []
    let before
    for (let turn = 0; turn < WARM_UPS + RETRIEVALS; turn++) {
      if (turn === WARM_UPS) before = processUsage(server.pid)
      const run = await once(requestor, identifier)
      if (run.status !== 0 || run.stores !== count) throw new Error(`${run.stores} of ${count} objects came, status ${run.status.toString(16)}`)
      if (turn >= WARM_UPS) runs.push(run)
    }
    await requestor.release()
    const { bytes } = runs[0]
    if (Math.abs(bytes - count * size) > count * 2) throw new Error(`${bytes} bytes came, not ${count * size}`)
    const seconds = runs.map(({ ms }) => ms / 1000).sort((a, b) => a - b)[Math.floor(runs.length / 2)]
    const usage = usageSince(before, processUsage(server.pid), bytes * runs.length)
    return {
      seconds: round(seconds, 4),
      mibPerSecond: round(bytes / MIB / seconds, 1),
      messagesPerSecond: round(count / seconds, 1),
      ...usage,
      peakRssMib: round(Math.max(usage.peakRssMib ?? 0, sampled.stop()), 1),
    }
  } finally {
    sampled.stop()
  }
}

/** A process that serves one association and ends is not there to be asked afterwards. */
function samplePeak(pid) {
  let peak = 0
  const look = () => {
    peak = Math.max(peak, processUsage(pid)?.peakRssMib ?? 0)
  }
  const timer = setInterval(look, SAMPLE_MS)
  return {
    stop() {
      clearInterval(timer)
      return peak
    },
  }
}

function column(name, of, digits = 0) {
  return { name, of, digits, isLessBetter: false }
}
