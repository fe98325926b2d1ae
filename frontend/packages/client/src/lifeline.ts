import type { Backoff } from './backoff.js';
import { CLOSE, shouldComeBack, shouldComeBackAtOnce } from './close-codes.js';
import { ABNORMAL, type Connection } from './connection.js';
import type { Migrate } from './messages.js';
import type { TokenSource } from './tokens.js';

/** Fresh tokens in a row that the server may refuse before we believe it. */
const MAX_REFUSED_TOKENS = 3;

export interface LifelineOwner {
  /** Open a connection with this query; its end is told to `lost`. */
  connect: (query: string) => Connection;
  /** There is no connection in use any more. */
  disconnected: () => void;
  /** We are still on the way back. */
  outage: () => void;
  /** The server said: do not come back. */
  refused: (code: number) => void;
}

/**
 * How a client keeps a connection: returns after a loss, moves without one.
 *
 * At most two live at once: `current`, restored and in use, and `candidate`, on its way
 * to replace it (a move) or to stand in for it (a return).
 */
export class Lifeline {
  current: Connection | null = null;
  private candidate: Connection | null = null;
  private candidateHasTicket = false;
  private lostAt: number | null = null;
  private attempt = 0;
  private unauthenticated = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly backoff: Backoff,
    private readonly tokens: TokenSource,
    private readonly now: () => number,
    private readonly owner: LifelineOwner,
  ) {}

  /** Open a connection; the owner asks it to restore, and then calls `adopt`. */
  open(): void {
    this.stopWaiting();
    const { attempt } = this;
    const token = this.tokens.take();
    if (!(token instanceof Promise)) return this.connect(token === undefined ? {} : { token });
    token.then(
      (fresh) => attempt === this.attempt && this.connect({ token: fresh }),
      () => attempt === this.attempt && this.retry(ABNORMAL),
    );
  }

  /** Open one to another colour, beside the one in use; the server's latest word counts. */
  move({ to, ticket }: Migrate): void {
    this.stopWaiting();
    this.candidate?.release();
    this.connect({ target: to, ticket });
  }

  isCandidate(connection: Connection): boolean {
    return connection === this.candidate;
  }

  /**
   * Use a restored connection from now on, and only then close the one before it.
   *
   * `switchOver` runs between the two. Gives how long there was none.
   */
  adopt(connection: Connection, switchOver: () => void): number {
    const previous = this.current;
    const gapMs = this.lostAt === null ? 0 : Math.round(this.now() - this.lostAt);
    this.current = connection;
    this.candidate = null;
    this.lostAt = null;
    this.unauthenticated = 0;
    this.backoff.restored(this.now());
    switchOver();
    previous?.release();
    return gapMs;
  }

  lost(connection: Connection, code: number): void {
    const ticketRefused = connection === this.candidate && this.candidateHasTicket;
    if (connection === this.candidate) this.candidate = null;
    if (connection === this.current) {
      this.current = null;
      this.lostAt = this.now();
      this.owner.disconnected();
    }
    // A move that failed leaves us where we are; a return under way may still succeed.
    if (this.current !== null) return;
    if (this.candidate !== null) this.owner.outage();
    else if (ticketRefused || this.mayComeBack(code)) this.retry(code);
    else this.owner.refused(code);
  }

  /** The network or the person is back: do not wait for a timer. */
  wake(): void {
    if (this.current !== null) return this.current.probe();
    if (this.retryTimer !== undefined) this.open();
    this.owner.outage();
  }

  close(): void {
    this.stopWaiting();
    this.candidate?.release();
    this.current?.release();
    this.candidate = null;
    this.current = null;
  }

  private connect(query: Record<string, string>): void {
    this.candidateHasTicket = 'ticket' in query;
    const encoded = new URLSearchParams(query).toString();
    this.candidate = this.owner.connect(encoded && `?${encoded}`);
  }

  private mayComeBack(code: number): boolean {
    if (code !== CLOSE.unauthenticated || !this.tokens.renews) return shouldComeBack(code);
    this.unauthenticated += 1;
    return this.unauthenticated <= MAX_REFUSED_TOKENS;
  }

  private retry(code: number): void {
    const delayMs = this.backoff.nextDelayMs(this.now(), shouldComeBackAtOnce(code));
    this.retryTimer = setTimeout(() => this.open(), delayMs);
    this.owner.outage();
  }

  /** Wait for no timer and no token any more. */
  private stopWaiting(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.attempt += 1;
  }
}
