// Why each runtime dependency is there, for docs/reference/dependencies.md. A test holds the keys against
// the package.json files.

export const DEPENDENCY_NOTES = {
  'dcmjs': 'The data dictionary and the decoding of values. Imported with the first data set that is decoded; the structure of a data set is checked by our own code first.',
  'semver': 'Version ranges of plugins: `framework` and `requires`.',
  'tapable': 'The hooks. It compiles each hook with `new Function`, so Node cannot run with `--disallow-code-generation-from-strings`.',
  'zod': 'Options of plugins: one schema for the check, the types and `schema.json`.',
  'commander': 'The command line.',
  'cosmiconfig': 'Reads the config file, YAML included.',
  'jiti': 'Runs config files and plugins in TypeScript, without a compiler, sharing the framework with the program.',
  '@clack/prompts': 'The questions of the scaffolder.',
  'winston': 'Passes log lines on to their destinations.',
  'winston-transport': 'The base of the destinations.',
  'rotating-file-stream': 'The log file and its rotation.',
}
