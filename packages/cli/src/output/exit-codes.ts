export const EXIT_FAILURE = 1
export const EXIT_USAGE = 2
/** EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78

/** The end of every help. */
export const EXIT_CODES = `Exit codes: 0 fine, 1 failure, 2 wrong usage, 78 something is wrong in the configuration.
Help and docs: https://github.com/dicomtap/dicomtap`
