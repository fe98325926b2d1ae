import { toWebSocket, type Addresses } from './addresses.js';
import type { Backoff } from './backoff.js';
import { CLOSE, shouldComeBack, shouldComeBackAtOnce } from './close-codes.js';
import { ABNORMAL, type Connection } from './connection.js';
import { step, type Effect, type Event, type Report, type State } from './connection-states.js';
import type { Migrate } from './messages.js';
import type { TokenSource } from './tokens.js';

/** Fresh tokens in a row that the server may refuse before we believe it. */
const MAX_REFUSED_TOKENS = 3;

/** Time for an answer after the browser said that there is no network. */
const OFFLINE_PROBE_MS = 1500;

/** How long a move may go on after the connection that it started from is lost. */
const ABANDONED_MOVE_MS = 1000;

export interface LifelineOwner {
  /** Open a connection to an address with this query; its end is reported to `lost`. */
  connect: (address: string, query: string, number: number) => Connection;
  /** Handle the loss of the connection in use. */
  disconnected: () => void;
  /** There is no connection in use yet, and another one is coming. */
  outage: () => void;
  /** The server said: do not come back. */
  refused: (code: number) => void;
}

/**
 * The connections of one client: carries out what the table of states says.
 *
 * At most two live at once: `current`, restored and in use, and one that is being opened, to
 * replace it (a move) or because there is none (a return).
 */
export class Lifeline {
  current: Connection | null = null;
  private state: State = { is: 'idle' };
  private opened = 0;
  private next: Connection | null = null;
  private ticket = '';
  /** The address of the region to move to; nothing for a move within this one. */
  private moveAddress: string | undefined;
  private lostAt: number | null = null;
  private attempt = 0;
  private unauthenticated = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private switchOver: () => void = () => undefined;

  constructor(
    private readonly addresses: Addresses,
    private readonly backoff: Backoff,
    private readonly tokens: TokenSource,
    private readonly now: () => number,
    private readonly owner: LifelineOwner,
  ) {}

  /** Open a connection; the owner asks it to restore, and then calls `adopt`. */
  open(): void {
    this.handle({ do: 'open', new: this.opened + 1 });
  }

  /** Open one to another colour, process or region, beside the one in use. */
  move({ to, ticket, address }: Migrate): void {
    const moveAddress = toWebSocket(address);
    if (address !== undefined && moveAddress === undefined) return;
    this.ticket = ticket;
    this.moveAddress = moveAddress;
    this.handle({ do: 'migrate', to, new: this.opened + 1 });
  }

  isCandidate(connection: Connection): boolean {
    return connection === this.next;
  }

  /**
   * Use a restored connection from now on, and only then close the one before it.
   *
   * `switchOver` runs between the two. Returns how long there was none.
   */
  adopt(connection: Connection, switchOver: () => void): number {
    const gapMs = this.lostAt === null ? 0 : Math.round(this.now() - this.lostAt);
    this.stopWaiting();
    this.unauthenticated = 0;
    this.backoff.restored(this.now());
    this.switchOver = switchOver;
    this.handle({ do: 'restored', connection: connection.number });
    return gapMs;
  }

  lost(connection: Connection, code: number): void {
    const isNext = connection === this.next;
    if (!isNext && connection !== this.current) return;
    // A ticket that is refused is no reason to stay away.
    const isMove = isNext && (this.state.is === 'moving' || this.state.is === 'stranded');
    if (isNext) this.next = null;
    this.handle({ do: 'lost', connection: connection.number, comes_back: isMove || this.mayComeBack(code) }, code);
    if (this.current === null && this.state.is !== 'refused') this.owner.outage();
  }

  /** The network or the user is back: do not wait for a timer. */
  wake(): void {
    if (this.current !== null) return this.current.probe();
    if (this.state.is === 'waiting') this.open();
    this.owner.outage();
  }

  /** The browser says that there is no network: a local server can still be reached. */
  doubt(): void {
    if (this.current !== null) this.current.probe(OFFLINE_PROBE_MS);
    else this.owner.outage();
  }

  close(): void {
    this.stopWaiting();
    this.state = { is: 'refused' };
    this.next?.release();
    this.current?.release();
    this.next = null;
    this.current = null;
  }

  /**
   * Change the state, and carry out the effects; `code` is why a connection ended, and `failed` is true if
   * its address is why it was never restored.
   */
  private handle(event: Event, code: number = ABNORMAL, failed = this.state.is === 'opening'): void {
    const [before, previous] = [this.current, this.next];
    const [state, effects] = step(this.state, event);
    this.state = state;
    for (const effect of effects) {
      if (effect.do === 'release') (effect.connection === before?.number ? before : previous)?.release();
      else if (effect.do === 'report') this.report(effect.report, code);
      else this.proceed(effect, code, failed);
    }
  }

  private proceed(effect: Exclude<Effect, { do: 'release' | 'report' }>, code: number, failed: boolean): void {
    if (effect.do === 'wait') {
      if (!failed) this.addresses.lost();
      const isFresh = failed && this.addresses.fail();
      const prompt = shouldComeBackAtOnce(code);
      const delayMs = isFresh ? 0 : this.backoff.nextDelayMs(this.now(), prompt, this.addresses.longestPauseMs);
      this.later(delayMs, () => this.open());
    } else if (effect.do === 'hurry') this.later(ABANDONED_MOVE_MS, () => this.handle({ do: 'overdue' }));
    else if (effect.to === undefined) this.connectWithToken(effect.connection);
    else this.connectToMove(effect.connection, effect.to);
  }

  private report(report: Report, code: number): void {
    if (report === 'refused') {
      this.stopWaiting();
      this.next = null;
      this.owner.refused(code);
    } else if (report === 'lost') {
      this.current = null;
      this.lostAt = this.now();
      this.owner.disconnected();
    } else if (report !== 'move_failed') {
      this.current = this.next;
      this.next = null;
      this.lostAt = null;
      this.switchOver();
    }
  }

  private connectWithToken(number: number): void {
    this.stopWaiting();
    this.opened = number;
    const { attempt } = this;
    const token = this.tokens.take();
    if (!(token instanceof Promise)) return this.connect(number, token === undefined ? {} : { token });
    token.then(
      (fresh) => attempt === this.attempt && this.connect(number, { token: fresh }),
      () => attempt === this.attempt && this.failToOpen(number),
    );
  }

  /** There is no token just now: to the table, that is a connection which never got through. */
  private failToOpen(number: number): void {
    this.handle({ do: 'lost', connection: number, comes_back: true }, ABNORMAL, false);
    this.owner.outage();
  }

  private connectToMove(number: number, target: string): void {
    const { ticket, moveAddress } = this;
    this.connect(number, moveAddress === undefined ? { target, ticket } : { ticket }, moveAddress);
  }

  private connect(number: number, query: Record<string, string>, address = this.addresses.current): void {
    this.opened = number;
    const encoded = new URLSearchParams(query).toString();
    this.next = this.owner.connect(address, encoded && `?${encoded}`, number);
  }

  private mayComeBack(code: number): boolean {
    if (code !== CLOSE.unauthenticated || !this.tokens.renews) return shouldComeBack(code);
    this.unauthenticated += 1;
    return this.unauthenticated <= MAX_REFUSED_TOKENS;
  }

  private later(delayMs: number, callback: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(callback, delayMs);
  }

  /** Cancel the timer, and ignore a token that is still being fetched. */
  private stopWaiting(): void {
    clearTimeout(this.timer);
    this.attempt += 1;
  }
}
