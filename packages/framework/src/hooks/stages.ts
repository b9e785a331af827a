/**
 * Where in a hook's order a tap stands; lower runs first. Within a stage, taps run in the order of
 * the plugins. The steps are wide so that a site can place its own between them.
 */
export const Stage = {
  /** Access control: refuse before anything is done. */
  Guard: -1000,
  /** Before the ordinary handlers: quarantine, coercion. */
  Early: -100,
  Default: 0,
  /** After the ordinary handlers. */
  Late: 100,
  /** "Nobody else answered". */
  Fallback: 1000,
} as const
