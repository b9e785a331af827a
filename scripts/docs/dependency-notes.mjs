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
  '@clack/prompts': 'Questions on a terminal: those of the scaffolder, and the passcode of `dicomtap users`.',
  'winston': 'Passes log lines on to their destinations.',
  'winston-transport': 'The base of the destinations.',
  '@node-rs/argon2': 'Hashes of passcodes (argon2id), in threads. Prebuilt for each platform; nothing is compiled or downloaded at the install.',
  'jose': 'Verifies JSON web tokens, and fetches the keys for it.',
  'yaml': 'Reads the files of users and of peers, and changes them without losing comments.',
  '@peculiar/asn1-schema': 'Writes DER: the certificates and keys that `dicomtap cert` makes. Node reads certificates and makes none.',
  '@peculiar/asn1-x509': 'The structures of X.509 certificates and revocation lists, for `@peculiar/asn1-schema`.',
  'rotating-file-stream': 'The log file and its rotation.',
  'kysely': 'Builds the SQL of the index for both databases, with types, and brings the tables to the version of the program. No dependencies of its own.',
  'libsql': 'SQLite, for the index. Prebuilt for each platform inside its npm packages; nothing is compiled or downloaded at the install. Runs in threads of our own; on that of the service only for statements that take a fraction of a millisecond.',
  'pg': 'PostgreSQL, for an index that several processes share. Loaded only when it is configured.',
  'pg-cursor': 'Rows of PostgreSQL as they are needed, instead of all at once.',
  'double-metaphone': 'How a word of a name sounds, for fuzzy matching.',
  'cli-progress': 'The progress bar of `dicomtap index rebuild`.',
}
