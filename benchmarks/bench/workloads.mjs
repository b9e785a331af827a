const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

const RATE = { name: 'MiB/s', field: 'mibPerSecond' }
const MESSAGES = { name: 'msg/s', field: 'messagesPerSecond' }
const CPU_PER_GIB = { name: 'CPU s/GiB', field: 'cpuSecondsPerGib', digits: 2, isLessBetter: true }
const CPU_EACH = { name: 'CPU µs each', of: ({ cpuSeconds, messages }) => (cpuSeconds * 1e6) / messages, isLessBetter: true }
const P50 = { name: 'p50 ms', field: 'p50Ms', digits: 3, isLessBetter: true }
const P99 = { name: 'p99 ms', field: 'p99Ms', digits: 2, isLessBetter: true }
const PEAK = { name: 'peak RSS MiB', field: 'peakRssMib', isLessBetter: true }

const STORES = [RATE, CPU_PER_GIB, P50, P99, PEAK]
const SMALL = [MESSAGES, CPU_EACH, P50, P99]

const store = (n, size, associations = 1) => ['store', '--n', String(n), '--size', String(size), '--associations', String(associations)]
const C = { load: store(210, 512 * KIB), bytes: 210 * 512 * KIB, warmUps: 12 }
const D = { load: store(43, 512 * KIB, 8), bytes: 8 * 43 * 512 * KIB, warmUps: 8 }

/**
 * What is measured, by name. `load` are the generator's arguments; `servers` who is measured with it, in turns; `warmUps`
 * how often the same load runs before a server counts as warm; `metrics` the columns, the first of which is drawn.
 */
export const WORKLOADS = {
  a: {
    title: '(a) 2000 C-ECHO on one association',
    servers: ['dicomtap', 'embedded', 'storescp+B-128k', 'c-sink'],
    load: ['echo', '--n', '2000'],
    warmUps: 8,
    metrics: SMALL,
  },
  b: {
    title: '(b) 210 times associate, C-ECHO, release, one after the other',
    servers: ['dicomtap', 'embedded', 'storescp+B', 'c-sink'],
    load: ['assoc', '--n', '210'],
    warmUps: 16,
    metrics: [{ ...MESSAGES, name: 'associations/s' }, CPU_EACH, P50, P99],
  },
  c: {
    title: '(c) 210 C-STORE of 512 KiB on one association',
    servers: ['dicomtap', 'embedded', 'storescp+B-128k', 'c-sink-file'],
    ...C,
    metrics: STORES,
  },
  d: {
    title: '(d) 43 C-STORE of 512 KiB on each of 8 associations',
    servers: ['dicomtap', 'dicomtap-workers', 'embedded', 'storescp-fork+B-128k', 'c-sink-file'],
    ...D,
    metrics: STORES,
  },
  e: {
    title: '(e) 1000 C-STORE of 8 KiB on one association',
    servers: ['dicomtap', 'embedded', 'storescp+B', 'c-sink-file'],
    load: store(1000, 8 * KIB),
    bytes: 1000 * 8 * KIB,
    warmUps: 8,
    metrics: SMALL,
  },
  f: {
    title: '(f) one C-STORE of 1 GiB',
    servers: ['dicomtap', 'embedded', 'storescp+B-128k', 'c-sink-file'],
    load: store(1, GIB),
    bytes: GIB,
    warmUps: 2,
    metrics: [RATE, CPU_PER_GIB, PEAK],
  },
  g: {
    title: '(g) 500 associations asked for at once, then a C-ECHO on each',
    servers: ['dicomtap', 'embedded', 'dcmjs-dimse', 'c-sink'],
    load: ['idle', '--associations', '500', '--wait', '12'],
    warmUps: 3,
    metrics: [
      { name: 'last accept ms', field: 'lastAcceptMs', isLessBetter: true },
      { name: 'accepted', field: 'accepted' },
      { name: 'echoed', field: 'echoed' },
      { name: 'KiB per association', field: 'kibPerAssociation', digits: 1, isLessBetter: true },
      { name: 'CPU s', field: 'cpuSeconds', digits: 2, isLessBetter: true },
    ],
  },
  h: {
    title: '(h) process start to the first C-ECHO answer',
    servers: ['dicomtap', 'embedded', 'dcmjs-dimse', 'storescp+B-128k'],
    isStart: true,
    metrics: [{ name: 'ms', field: 'startMs', isLessBetter: true }, { name: 'CPU s', field: 'cpuSeconds', digits: 2, isLessBetter: true }, PEAK],
  },
  'fsync-c': {
    title: '(c) with fsync before each answer',
    servers: ['dicomtap-fsync', 'dicomtap-workers-fsync', 'c-sink-file-fsync', 'orthanc-fsync'],
    ...C,
    warmUps: 4,
    metrics: STORES,
  },
  'fsync-d': {
    title: '(d) with fsync before each answer',
    servers: ['dicomtap-fsync', 'dicomtap-workers-fsync', 'c-sink-file-fsync', 'orthanc-fsync'],
    ...D,
    warmUps: 3,
    metrics: STORES,
  },
  tls: {
    title: '(c) over TLS 1.3',
    servers: ['dicomtap-tls', 'storescp-tls'],
    ...C,
    isTls: true,
    metrics: STORES,
  },
  'hooks-a': {
    title: '20000 C-ECHO on one association: hooks and plugins beside the bare core',
    servers: ['plugins', 'core'],
    load: ['echo', '--n', '20000'],
    warmUps: 8,
    repetitionsTimes: 3,
    metrics: SMALL,
  },
  'hooks-c': {
    title: '210 C-STORE of 512 KiB, dropped: hooks and plugins beside the bare core',
    servers: ['plugins', 'core'],
    load: store(210, 512 * KIB),
    bytes: 0,
    warmUps: 12,
    repetitionsTimes: 3,
    metrics: STORES,
  },
}

/** The figure of a metric in one result. */
export function valueOf(metric, result) {
  return metric.of === undefined ? result[metric.field] : metric.of(result)
}
