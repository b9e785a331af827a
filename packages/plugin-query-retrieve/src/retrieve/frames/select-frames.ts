import type { FrameRequest } from './frame-request.ts'

/** The frames of a request that an instance has. */
export interface SelectedFrames {
  /** From 0 on, increasing. */
  readonly frames: readonly number[]
  /** The list of the request without what the instance does not have. */
  readonly numbers: readonly number[]
}

/** Milliseconds by which times may differ that were computed in different ways. */
const TOLERANCE_MS = 1e-6

/**
 * What is beyond the last frame is ignored (PS3.4 Y.3.2.1, and AA00 is for requests of which nothing is left).
 * @param timesMs of each frame, since Content Time (0008,0033); for a Time Range
 */
export function selectFrames({ list, numbers }: FrameRequest, numberOfFrames: number, timesMs: readonly number[] = []): SelectedFrames {
  if (list === 'SimpleFrameList') {
    const there = numbers.filter((number) => number <= numberOfFrames)
    return { frames: there.map((number) => number - 1), numbers: there }
  }
  if (list === 'TimeRange') {
    const [start = 0, end = 0] = numbers
    const isWithin = (timeMs: number): boolean => timeMs >= start * 1000 - TOLERANCE_MS && timeMs <= end * 1000 + TOLERANCE_MS
    return { frames: timesMs.flatMap((timeMs, frame) => (isWithin(timeMs) ? [frame] : [])), numbers }
  }
  const frames: number[] = []
  const parts: number[] = []
  for (let at = 0; at < numbers.length; at += 3) {
    const [first = 0, limit = 0, increment = 1] = numbers.slice(at, at + 3)
    if (first > numberOfFrames) continue
    const last = Math.min(limit, numberOfFrames)
    parts.push(first, last, increment)
    for (let number = first; number <= last; number += increment) frames.push(number - 1)
  }
  return { frames, numbers: parts }
}
