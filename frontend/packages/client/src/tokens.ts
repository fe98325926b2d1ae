/** A session token, or what gives a fresh one each time that it is asked. */
export type Token = string | (() => string | Promise<string>);

/** How much of a token's life is left when the next one is asked for. */
const MARGIN = 0.25;
const MAX_MARGIN_MS = 60_000;
const RETRY_MS = 5_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The tokens of one client; nothing where the server asks for none. */
export class TokenSource {
  constructor(
    private readonly token: Token | undefined,
    private readonly timeoutMs: number,
  ) {}

  /** True if asking again can return another token. */
  get renews(): boolean {
    return typeof this.token === 'function';
  }

  /**
   * Return a token; a promise, which may be rejected, where one must be asked for. White space around
   * it is removed: a token that was read from a file ends with a line end.
   */
  take(): string | undefined | Promise<string> {
    if (typeof this.token !== 'function') return this.token?.trim();
    return withTimeout(Promise.resolve().then(this.token), this.timeoutMs).then((token) => token.trim());
  }
}

/** Brings a fresh token in time to a connection that stays. */
export class Renewal {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly tokens: TokenSource,
    private readonly send: (token: string) => void,
  ) {}

  /** Renew before the token that holds now is over; null: it is never over. */
  schedule(expiresInMs: number | null): void {
    this.stop();
    if (expiresInMs === null || !this.tokens.renews) return;
    this.callLater(expiresInMs - Math.min(expiresInMs * MARGIN, MAX_MARGIN_MS));
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private callLater(delayMs: number): void {
    this.timer = setTimeout(() => void this.renew(), Math.min(delayMs, LONGEST_TIMER_MS));
  }

  private async renew(): Promise<void> {
    const { timer } = this;
    try {
      const token = await this.tokens.take();
      if (token !== undefined && timer === this.timer) this.send(token);
    } catch {
      // The old one may hold for a while; if not, the return asks again.
      if (timer === this.timer) this.callLater(RETRY_MS);
    }
  }
}

function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no token came in time')), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
