export default {
  files: ['packages/*/dist-test/**/*.test.js', 'create-app/dist-test/**/*.test.js', 'examples/*/dist-test/**/*.test.js', 'docs/dist-test/**/*.test.js'],
  timeout: '60s',
  concurrency: 3,
}
