// What starts other programs, or many processes of its own, are suites apart: scripts/test-suite.mjs names the one it runs.
const apart = process.env.DICOMTAP_SUITE === undefined ? ['!**/*.interop.test.js', '!**/*.process.test.js'] : []

export default {
  files: [
    'packages/*/dist-test/**/*.test.js',
    'create-app/dist-test/**/*.test.js',
    'examples/*/dist-test/**/*.test.js',
    'docs/dist-test/**/*.test.js',
    ...apart,
  ],
  timeout: '60s',
  concurrency: 3,
}
