// A whole archive of `dicomtap start` with its index in SQLite, asked by DCMTK; the answers are computed from the files.
import { archiveTests } from './support/archive-tests.js'

archiveTests('SQLite', ['dcmtk'], () => Promise.resolve({ config: { sqlite: './index/index.sqlite' }, close: () => Promise.resolve() }))
