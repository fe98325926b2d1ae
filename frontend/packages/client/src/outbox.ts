import { isSameContent, type ChatContent } from './chat-content.js';
import { judge, type Doubt, type Restored } from './doubt.js';
import type { Position } from './messages.js';
import { closeGap, numberFrom, toContent } from './numbering.js';
import type { Noticed, OutboxMessage, OutboxState, Renumbered, Withdrawn } from './outbox-state.js';

/** Acknowledged messages that are kept, for the case that Redis loses them. */
const SENT_KEPT = 500;

/**
 * A client's own messages, kept until the server says that they are in Redis.
 *
 * `n` belongs to the client_id, so both live and are stored together. A *life*
 * of a client is one run of it: a reload begins another life under the same client_id. A
 * number is provisional until the first restore of a life is answered, because only the
 * log knows which numbers earlier lives used.
 */
export class Outbox {
  private kept: OutboxMessage[];
  private provisional: ChatContent[];
  private sent: OutboxMessage[] = [];
  private lastN: number;
  private acknowledgedN = 0;
  private logN = 0;
  private settled = false;
  private ours = false;
  private sentN: number;
  /** Messages up to this number were stored by an earlier life, and may have been sent since. */
  private readonly inheritedN: number;
  private firstSentAt: Position | null;
  private seen = new Set<number>();
  private resentN = 0;

  /** `state` is the stored one: its unknown fields are stored again unchanged. */
  private constructor(private state: OutboxState) {
    this.provisional = state.pending.filter((one) => one.provisional).map(toContent);
    this.kept = state.pending.filter((one) => !one.provisional);
    this.lastN = state.last_n - this.provisional.length;
    this.sentN = state.sent_n ?? 0;
    this.inheritedN = this.kept.at(-1)?.n ?? 0;
    this.firstSentAt = state.sent_at ?? null;
  }

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
    return [...this.kept, ...this.listProvisional()];
  }

  /**
   * True once the log is known to have a message of this life under its number.
   *
   * Until then messages are sent one at a time: if an earlier life, or a duplicate, has
   * used the number of one, the next must not reach the log before it.
   */
  get proven(): boolean {
    return this.ours;
  }

  /** True if the log has the first number, but its event (and text) has not arrived. */
  get awaitsEvent(): boolean {
    const [first] = this.kept;
    return first !== undefined && first.n <= this.resentN;
  }

  /** The position of the log when the oldest unacknowledged message was first sent. */
  get sentAt(): Position | null {
    return this.firstSentAt;
  }

  toState(): OutboxState {
    const last_n = this.lastN + this.provisional.length;
    const marked = this.listProvisional();
    return {
      ...this.state,
      last_n,
      pending: [...this.kept, ...marked],
      sent_n: this.sentN,
      sent_at: this.firstSentAt,
    };
  }

  add(content: ChatContent): OutboxMessage {
    if (!this.settled) {
      this.provisional.push(content);
      return this.listProvisional().at(-1)!;
    }
    this.lastN += 1;
    const message = { ...content, n: this.lastN };
    this.kept.push(message);
    return message;
  }

  /**
   * Number what cannot be in the log yet, from its `lastN` + 1; returns the changes.
   *
   * Those are provisional messages, and final ones of this life that were never sent: if the
   * log has the number of one, another life used it, even if its event has not arrived.
   */
  settle(lastN: number): Renumbered {
    this.settled = true;
    const unsent = this.listProvisional();
    this.provisional = [];
    this.logN = Math.max(this.logN, lastN);
    const maybeSentN = Math.max(this.sentN, this.inheritedN);
    const neverSent = this.kept.filter(({ n }) => n > maybeSentN);
    if (neverSent[0] !== undefined && neverSent[0].n <= lastN) {
      this.kept = this.kept.filter(({ n }) => n <= maybeSentN);
      return this.append([...neverSent, ...unsent], lastN);
    }
    return this.append(unsent, Math.max(this.lastN, lastN));
  }

  /**
   * Drop messages up to `n`, because they are in Redis; returns the numbers that this acknowledged.
   *
   * If `n` is beyond our own (an older life of this client_id wrote it), counting continues
   * from there, unless messages are waiting: they have their numbers already.
   */
  acknowledge(n: number): number[] {
    this.lastN = Math.max(this.lastN, n);
    this.logN = Math.max(this.logN, n);
    return this.dropWhile((message) => message.n <= n);
  }

  /**
   * Handle the `ack` of message `n`; returns the numbers that it acknowledged.
   *
   * The `ack` of a resend (`seq` null) only says that the log has the number. The event
   * shows its text (`notice`); the message is acknowledged once both have arrived.
   */
  answer(n: number, isResend: boolean): number[] {
    if (!isResend) {
      // Earlier messages are in the log too; for a resend only the event shows their text.
      for (const one of this.kept) if ((one.n > this.resentN && one.n <= n) || one.n === n) this.seen.add(one.n);
    }
    this.lastN = Math.max(this.lastN, n);
    this.logN = Math.max(this.logN, n);
    this.resentN = Math.max(this.resentN, n);
    return this.acknowledgeSeen();
  }

  /**
   * Handle an event under our client_id: the log has this content under its number.
   *
   * If the content is not ours, our message is not in the log: it gets the next number, even if
   * a resend of it was considered acknowledged.
   */
  notice(logged: ChatContent & { n: number }): Noticed {
    const { n } = logged;
    const isNews = n > this.logN;
    this.lastN = Math.max(this.lastN, n);
    this.logN = Math.max(this.logN, n);
    const isN = (message: OutboxMessage): boolean => message.n === n;
    const waiting = this.kept.find(isN);
    const message = waiting ?? this.sent.findLast(isN);
    if (message === undefined) return { acknowledged: [], renumbered: [], isForeign: isNews };
    if (!isSameContent(message, logged)) {
      this.kept = this.kept.filter((one) => one !== message);
      this.sent = this.sent.filter((one) => one !== message);
      const renumbered = this.move(message);
      return { acknowledged: this.acknowledgeSeen(), renumbered, isForeign: true };
    }
    if (waiting !== undefined) this.seen.add(n);
    return { acknowledged: this.acknowledgeSeen(), renumbered: [], isForeign: false };
  }

  /** Keep acknowledged messages beyond `lastN` again, as the log lost them; returns how many. */
  takeBack(lastN: number): number {
    const taken = this.sent.filter((message) => message.n > lastN);
    this.sent = this.sent.filter((message) => message.n <= lastN);
    this.kept = [...taken, ...this.kept];
    if (taken.length > 0) this.logN = Math.min(this.logN, lastN);
    return taken.length;
  }

  /** List what to send when the log expects `expected` (error `gap`): it has what is before. */
  resendFrom(expected: number): OutboxMessage[] {
    return this.kept.filter((message) => message.n >= expected);
  }

  /** List what may be sent now, from `fromN` on: until `proven` only the first. */
  due(fromN: number): OutboxMessage[] {
    return this.ours ? this.resendFrom(fromN) : this.kept.slice(0, 1).filter((message) => message.n >= fromN);
  }

  /** Record that messages are sent while the log is at `at`; true if one is sent for the first time. */
  noteSent(messages: readonly OutboxMessage[], at: Position | null): boolean {
    const last = messages.at(-1);
    if (last === undefined) return false;
    this.firstSentAt ??= at;
    const isNew = last.n > this.sentN;
    this.sentN = Math.max(this.sentN, last.n);
    return isNew;
  }

  /**
   * Return what to do after a restore from `asked` with messages that may have been sent.
   *
   * A log that says 0 may have had them, and forgotten their sender since. `ask`: restore
   * again from `sentAt`. After `send`, `sentAt` is a place in the log of the answer.
   */
  assessDoubt(asked: Position | null, reply: Restored): Doubt {
    if (this.kept[0] === undefined || this.kept[0].n > this.sentN) return 'send';
    const doubt = judge(this.firstSentAt, asked, reply);
    if (doubt === 'send' && this.firstSentAt?.epoch !== reply.position.epoch) this.firstSentAt = reply.position;
    return doubt;
  }

  /** Remove and return the messages that may have been sent. */
  withdrawSent(): OutboxMessage[] {
    const withdrawn = this.kept.filter((message) => message.n <= this.sentN);
    this.kept = this.kept.filter((message) => message.n > this.sentN);
    this.seen.clear();
    this.firstSentAt = null;
    return withdrawn;
  }

  /** True if the log expects a message that we no longer have: it lost acknowledged ones. */
  lacks(expected: number): boolean {
    return this.kept[0] !== undefined && expected < this.kept[0].n;
  }

  /** Number pending messages from 1 again, for a new client_id; returns the changes. */
  renumber(clientId: string): Renumbered {
    const pending = this.pending;
    [this.kept, this.provisional, this.sent] = [[], [], []];
    this.seen.clear();
    this.acknowledgedN = this.logN = this.sentN = this.resentN = 0;
    this.ours = false;
    this.firstSentAt = null;
    this.state = { ...this.state, client_id: clientId };
    return this.append(pending, 0);
  }

  /** Remove message `n`, refused for good; later ones move up. Null unless it waits and is not in the log. */
  withdraw(n: number): Withdrawn | null {
    const refused = this.kept.find((message) => message.n === n);
    if (refused === undefined || n <= this.logN) return null;
    const { messages, changes: renumbered } = closeGap(this.kept, n);
    this.kept = messages;
    this.lastN -= 1;
    // Numbers up to these are used again.
    if (n <= this.sentN) this.sentN -= 1;
    if (n <= this.acknowledgedN) this.acknowledgedN -= 1;
    if (this.kept.length === 0) this.firstSentAt = null;
    return { message: refused, renumbered };
  }

  private listProvisional(): OutboxMessage[] {
    return this.provisional.map((content, index) => ({ ...content, n: this.lastN + 1 + index, provisional: true }));
  }

  /** Number messages from `after` + 1 and keep them; returns the changed numbers. */
  private append(messages: readonly OutboxMessage[], after: number): Renumbered {
    const numbered = numberFrom(messages, after);
    this.kept = [...this.kept, ...numbered.messages];
    this.lastN = after + messages.length;
    return numbered.changes;
  }

  /** Move a message to the next free number, and unsent later messages after it. */
  private move(message: OutboxMessage): Renumbered {
    const unsent = this.kept.filter(({ n }) => n > this.sentN);
    this.kept = this.kept.filter(({ n }) => n <= this.sentN);
    const moved = [...unsent, message].sort((one, other) => one.n - other.n);
    return this.append(moved, Math.max(this.logN, this.kept.at(-1)?.n ?? 0));
  }

  private acknowledgeSeen(): number[] {
    const isOurs = ({ n }: OutboxMessage): boolean => n <= this.resentN && this.seen.has(n);
    if (this.kept[0] !== undefined && isOurs(this.kept[0])) this.ours = true;
    return this.dropWhile(isOurs);
  }

  /** Drop messages from the oldest on; returns the numbers that are newly acknowledged. */
  private dropWhile(isDropped: (message: OutboxMessage) => boolean): number[] {
    const end = this.kept.findIndex((message) => !isDropped(message));
    const dropped = end < 0 ? this.kept : this.kept.slice(0, end);
    if (dropped.length === 0) return [];
    this.kept = this.kept.slice(dropped.length);
    dropped.forEach(({ n }) => this.seen.delete(n));
    this.sent = [...this.sent, ...dropped].slice(-SENT_KEPT);
    const news = dropped.map(({ n }) => n).filter((n) => n > this.acknowledgedN);
    this.acknowledgedN = Math.max(this.acknowledgedN, ...news);
    if (this.kept.length === 0) this.firstSentAt = null;
    return news;
  }
}
