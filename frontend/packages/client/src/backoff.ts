export interface BackoffOptions {
  baseMs: number;
  capMs: number;
  random: () => number;
}

/**
 * Exponential backoff with full jitter: each delay is drawn from the whole range
 * [0, min(cap, base * 2^attempt)), so that a crowd that lost its server together
 * does not come back together.
 */
export class Backoff {
  private attempt = 0;

  constructor(private readonly options: BackoffOptions) {}

  get attempts(): number {
    return this.attempt;
  }

  nextDelayMs(): number {
    const { baseMs, capMs, random } = this.options;
    const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(this.attempt, 30));
    this.attempt += 1;
    return random() * ceiling;
  }

  reset(): void {
    this.attempt = 0;
  }
}
