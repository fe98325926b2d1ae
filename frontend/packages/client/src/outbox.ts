export interface OutboxMessage {
  n: number;
  text: string;
}

export interface OutboxState {
  client_id: string;
  last_n: number;
  pending: OutboxMessage[];
}

/** Acknowledged messages that are kept, for the case that Redis loses them. */
const SENT_KEPT = 500;

/**
 * A client's own messages, kept until the server says that they are in Redis.
 *
 * `n` belongs to the client_id, so both live and are stored together.
 */
export class Outbox {
  private sent: OutboxMessage[] = [];
  private acknowledgedN = 0;

  private constructor(private state: OutboxState) {}

  /** Make an empty outbox for a client_id never used before. */
  static create(clientId: string): Outbox {
    return new Outbox({ client_id: clientId, last_n: 0, pending: [] });
  }

  static from(state: OutboxState): Outbox {
    return new Outbox({ ...state, pending: [...state.pending] });
  }

  get clientId(): string {
    return this.state.client_id;
  }

  get pending(): readonly OutboxMessage[] {
    return this.state.pending;
  }

  toState(): OutboxState {
    return { ...this.state, pending: [...this.state.pending] };
  }

  add(text: string): OutboxMessage {
    this.state.last_n += 1;
    const message = { n: this.state.last_n, text };
    this.state.pending.push(message);
    return message;
  }

  /**
   * Drop message `n` and all before it, for they are in Redis; gives the numbers that
   * this acknowledged.
   *
   * With an `n` beyond our own (an older life of this client_id wrote it) counting goes
   * on from there, unless messages are waiting: their numbers are already given.
   */
  acknowledge(n: number): number[] {
    const acknowledged = this.state.pending.filter((message) => message.n <= n);
    this.state.pending = this.state.pending.filter((message) => message.n > n);
    this.state.last_n = Math.max(this.state.last_n, n);
    this.sent = [...this.sent, ...acknowledged].slice(-SENT_KEPT);
    const news = acknowledged.map((message) => message.n).filter((one) => one > this.acknowledgedN);
    this.acknowledgedN = Math.max(this.acknowledgedN, ...news);
    return news;
  }

  /**
   * Keep again what was acknowledged beyond `lastN`, for the log lost it; gives how many.
   *
   * They are sent as before, and acknowledged in silence.
   */
  takeBack(lastN: number): number {
    const taken = this.sent.filter((message) => message.n > lastN);
    this.sent = this.sent.filter((message) => message.n <= lastN);
    this.state.pending = [...taken, ...this.state.pending];
    return taken.length;
  }

  /**
   * List what to send when the log expects `expected` (error `gap`): what is before it
   * is in the log, and its acknowledgement is on the way.
   */
  resendFrom(expected: number): OutboxMessage[] {
    return this.state.pending.filter((message) => message.n >= expected);
  }

  /**
   * Say whether the server waits for a message we no longer hold.
   *
   * The log has then lost what it once acknowledged (a failover), and would refuse
   * every later message of this client_id.
   */
  lacks(expected: number): boolean {
    const first = this.state.pending[0];
    return first !== undefined && expected < first.n;
  }

  /** Number what is pending from 1 again, for a client_id never used before. */
  renumber(clientId: string): void {
    const pending = this.state.pending.map(({ text }, index) => ({ n: index + 1, text }));
    this.sent = [];
    this.acknowledgedN = 0;
    this.state = { client_id: clientId, last_n: pending.length, pending };
  }

  /** Take out a message that the server will never accept; later ones move up. */
  withdraw(n: number): OutboxMessage | null {
    const refused = this.state.pending.find((message) => message.n === n);
    if (refused === undefined) return null;
    this.state.pending = this.state.pending
      .filter((message) => message.n !== n)
      .map((message) => (message.n > n ? { ...message, n: message.n - 1 } : message));
    this.state.last_n -= 1;
    return refused;
  }
}
