import type { HashAlgorithm } from '../users/phc.ts'

export interface PasscodeSource {
  /** A path, or `-` for standard input. */
  readonly passcodeFile?: string
}
export interface AddOptions extends PasscodeSource {
  readonly roles?: readonly string[]
  readonly algorithm: HashAlgorithm
  readonly usernameOnly?: boolean
  readonly allowShort?: boolean
  readonly replace?: boolean
}
export interface ListOptions {
  readonly json?: boolean
}

/** Where an action writes lines to: results, and everything else. */
export interface Output {
  print(text: string): void
  note(text: string): void
}
