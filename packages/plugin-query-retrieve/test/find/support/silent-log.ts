const nothing = (): void => {}

/** A logger that says nothing. */
export const silentLog: unknown = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, isEnabled: () => false, child: () => silentLog }
