/** How long to wait before coming back; each figure bounds a random delay. */
export interface BackoffPolicy {
  firstMs: number;
  /** For the first attempt when the server asked us to come back at once. */
  promptMs: number;
  factor: number;
  /**
   * After this long at the latest every client tries: a server that is back within seven
   * seconds has them all within ten, whatever they drew.
   */
  longestMs: number;
  /** A restore that held this long ends the series of failures. */
  stableMs: number;
}

export const DEFAULT_BACKOFF: BackoffPolicy = {
  firstMs: 200,
  promptMs: 50,
  factor: 2,
  longestMs: 3_000,
  stableMs: 5_000,
};

/**
 * The delays of one client: exponential backoff with full jitter, after
 * "Exponential Backoff And Jitter" (AWS, 2015), so that a crowd that lost its server
 * together does not come back together.
 *
 * Only a restore that held resets the series: a server that takes us in and drops us
 * at once must not be stormed.
 */
export class Backoff {
  private attempt = 0;
  private restoredAt: number | null = null;

  /** `random` gives a number in [0, 1). */
  constructor(
    private readonly policy: BackoffPolicy,
    private readonly random: () => number,
  ) {}

  /** Record that a connection is restored. */
  restored(nowMs: number): void {
    this.restoredAt = nowMs;
  }

  /**
   * Return the delay before the next attempt, after a loss or a failed attempt.
   *
   * `prompt`: the server said "at once" (1012, 4000); believed once in a series. `longestMs` bounds this
   * one delay.
   */
  nextDelayMs(nowMs: number, prompt = false, longestMs = Infinity): number {
    if (this.restoredAt !== null && nowMs - this.restoredAt >= this.policy.stableMs) this.attempt = 0;
    this.restoredAt = null;
    const bound = prompt && this.attempt === 0 ? this.policy.promptMs : this.boundMs();
    this.attempt += 1;
    return this.random() * Math.min(bound, longestMs);
  }

  private boundMs(): number {
    const { firstMs, factor, longestMs } = this.policy;
    return Math.min(longestMs, firstMs * factor ** this.attempt);
  }
}

/** The longest time that a server can make a client wait before it asks again. */
const LONGEST_WAIT_MS = 60_000;

/** Return how long to wait before asking again: the server chose it at random, and knows. */
export const readWaitMs = (retryAfterMs: number): number => Math.min(Math.max(0, retryAfterMs), LONGEST_WAIT_MS);
