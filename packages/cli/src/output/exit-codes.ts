export const EXIT_FAILURE = 1
export const EXIT_USAGE = 2
/** EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78
