// The interop tests run with the others when DCMTK is installed; where they have a step of their own, not twice.
const isInteropApart = process.env.DICOMTAP_INTEROP === 'apart'

export default {
  files: [
    'packages/*/dist-test/**/*.test.js',
    'create-app/dist-test/**/*.test.js',
    'examples/*/dist-test/**/*.test.js',
    'docs/dist-test/**/*.test.js',
    ...(isInteropApart ? ['!**/*.interop.test.js'] : []),
  ],
  timeout: '60s',
  concurrency: 3,
}
