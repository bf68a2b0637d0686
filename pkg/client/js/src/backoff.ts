/** How long to wait between tries. */
export interface Backoff {
  /** Milliseconds before the first retry. */
  min: number;
  /** Milliseconds that no pause exceeds. */
  max: number;
}

/** The pause before try number `attempt` (from 0), half of it random, so that many clients do not come back together. */
export function pause({ min, max }: Backoff, attempt: number): number {
  return Math.min(max, min * 2 ** Math.min(attempt, 20)) * (0.5 + Math.random() / 2);
}
