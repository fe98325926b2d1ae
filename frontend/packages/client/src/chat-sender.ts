import type { Backoff } from './backoff.js';
import type { ChatContent } from './chat-content.js';
import { AFTER_PAUSE, EVENT_PATIENCE_MS, LONGEST_PACE_MS, NEVER_ACCEPTED, NEW_LIFE_MS } from './chat-pace.js';
import { OTHER_LIFE_MS, RESEND_PAUSE_MS, SLOW_MS } from './chat-pace.js';
import type { ChatSenderHooks } from './chat-sender-hooks.js';
import { chooseEvidence } from './doubt.js';
import type { ChatEvent, Position, ServerError, SessionRestored } from './messages.js';
import { toFrame, type OutboxMessage, type Renumbered } from './outbox-state.js';
import type { Outbox } from './outbox.js';
import { showsAll } from './timeline.js';

/** Sends our chat messages until they are in the log, with the timers for sending again. */
export class ChatSender {
  /**
   * If set, nothing is sent until a restore shows what came after this position. It stays over a
   * lost connection: a restore from a later position would not show it.
   */
  doubtSince: Position | null = null;
  private resendTimer: ReturnType<typeof setTimeout> | undefined;
  private resendFromN = 0;
  /** Pause between the parts of a resend, after the server limited our rate. */
  private paceMs: number | null = null;
  /** How many times the outbox is being stored now; nothing is sent unless 0. */
  private storing = 0;
  /** True while only one message may be in flight; see `due`. */
  private alone = true;
  private hasBegun = false;
  /** True while another life of this client may be writing. */
  private hasCompany = false;
  private companyTimer: ReturnType<typeof setTimeout> | undefined;
  /** When the oldest message without an answer on this connection was sent. */
  private askedAt: number | null = null;
  private isLogSlow = false;
  private missedEvent = false;
  private eventTimer: ReturnType<typeof setTimeout> | undefined;
  /** Kept from the first `not_saved` to the next acknowledgement. */
  private resendBackoff: Backoff | null = null;

  constructor(
    readonly outbox: Outbox,
    private readonly newResendBackoff: () => Backoff,
    private readonly hooks: ChatSenderHooks,
  ) {}

  send(content: ChatContent): OutboxMessage {
    const message = this.outbox.add(content);
    this.hooks.outboxChanged();
    // While a resend is due, new messages wait for it: they must be sent in the order of n.
    if (this.resendTimer === undefined) this.transmitFrom(message.n);
    return message;
  }

  /** Handle a restore's `last_n`, and the events of our client_id in it. */
  settle(lastN: number, own: readonly ChatEvent[]): void {
    this.doubtSince = null;
    this.tellNumbers(this.outbox.settle(lastN));
    for (const event of own) this.noticeOwn(event);
  }

  /** Continue after a restore from `asked`: send what is not acknowledged. */
  restored(asked: Position | null, reply: SessionRestored, restarted: boolean): void {
    const { last_n: lastN, position, chat_history: history } = reply;
    // A log that only forgot this client (last_n is 0) has lost nothing, and a merge keeps what it
    // has under another epoch: only one that shows all it ever took is believed to lack ours.
    if (lastN > 0 || (restarted && showsAll(history, position))) this.outbox.takeBack(lastN);
    this.acknowledgeRestored(asked, reply);
    this.assessDoubt(asked, reply);
    this.hooks.outboxChanged();
    if (lastN > 0 && !this.hasBegun) this.goAlone(NEW_LIFE_MS);
    this.hasBegun = true;
    this.alone = lastN === 0 || !this.outbox.proven || this.hasCompany;
    this.stopResend();
    this.transmitStored(0);
  }

  /** Handle the `ack` of message `n`. */
  acknowledge(n: number, isResend: boolean): void {
    this.resendBackoff = null;
    this.isLogSlow ||= this.waitsLong;
    this.askedAt = null;
    const [first] = this.outbox.pending;
    this.outbox.answer(n, isResend);
    this.hooks.outboxChanged();
    this.awaitEvent();
    this.goOnAfter(first);
  }

  /** Handle a live event of our client_id; returns what to do once it is shown. */
  notice(event: ChatEvent): () => void {
    const [first] = this.outbox.pending;
    this.noticeOwn(event);
    return () => this.goOnAfter(first);
  }

  /** Handle an error about a message of ours; only a refused one leaves the outbox. */
  receiveError(error: ServerError): void {
    if (error.code === 'not_saved') this.resendAfterBackoff();
    else if (error.code === 'gap' && error.expected !== undefined) this.resendGap(error.expected);
    else if (error.n === undefined) return;
    else if (error.code === 'rate_limited') {
      this.paceMs = Math.min(error.retry_after_ms ?? 1000, LONGEST_PACE_MS);
      this.resendAfter(this.paceMs, error.n);
    } else if (NEVER_ACCEPTED.includes(error.code)) this.refuse(error.n, error.message);
  }

  /** The connection is gone: the next restore sends everything again. */
  lost(): void {
    this.askedAt = null;
    clearTimeout(this.eventTimer);
    this.eventTimer = undefined;
    this.stopResend();
  }

  close(): void {
    this.lost();
    clearTimeout(this.companyTimer);
  }

  /**
   * Decide about messages that may be in a log that has forgotten this client. If the log still has
   * everything since they were sent, a restore from there shows it.
   * If not, they are given back (`doubtful`): sent again, they might be there twice.
   */
  private assessDoubt(asked: Position | null, reply: SessionRestored): void {
    const doubt = this.outbox.assessDoubt(asked, reply);
    if (doubt === 'give_back') {
      for (const message of this.outbox.withdrawSent()) this.hooks.doubtful(message);
    } else if (doubt === 'ask') this.askSince(this.outbox.sentAt);
  }

  /**
   * Acknowledge up to the log's `last_n`, or ask for the events that show whose they are.
   *
   * If the history reaches back to when we sent, events missing from it are still on their
   * way to this server, and will show the text of each number: acknowledge them then. If they
   * do not arrive in time, the next restore acknowledges by number alone.
   */
  private acknowledgeRestored(asked: Position | null, reply: SessionRestored): void {
    const [first] = this.outbox.pending;
    const evidence = chooseEvidence(this.outbox.sentAt, asked, reply);
    if (evidence === 'ask' && first !== undefined && first.n <= reply.last_n) return this.askSince(this.outbox.sentAt);
    if (evidence === 'events' && !this.missedEvent) this.outbox.answer(reply.last_n, true);
    else this.outbox.acknowledge(reply.last_n);
    this.missedEvent = false;
    this.awaitEvent();
  }

  private askSince(position: Position | null): void {
    this.doubtSince = position;
    this.hooks.restoreAgain();
  }

  /** Ask for a restore if a message of ours is in the log but its event does not arrive. */
  private awaitEvent(): void {
    if (!this.outbox.awaitsEvent) return;
    this.eventTimer ??= setTimeout(() => {
      this.eventTimer = undefined;
      if (!this.outbox.awaitsEvent || !this.hooks.isConnected()) return;
      this.missedEvent = true;
      this.hooks.restoreAgain();
    }, EVENT_PATIENCE_MS);
  }

  /** Send the next messages, if they were waiting for `first`. */
  private goOnAfter(first: OutboxMessage | undefined): void {
    if (!this.alone || this.outbox.pending[0] === first) return;
    this.alone = !this.outbox.proven || this.hasCompany;
    this.transmitStored(0);
  }

  /**
   * Send one message at a time for some time: another life of this client may use the number
   * of one of ours, and the next must not reach the log before the one that lost its number.
   */
  private goAlone(ms: number): void {
    clearTimeout(this.companyTimer);
    this.alone = this.hasCompany = true;
    this.companyTimer = setTimeout(() => this.endCompany(), ms);
  }

  private endCompany(): void {
    // While the log is slow, what an earlier life sent waits as long as ours.
    if (this.isLogSlow || this.waitsLong) {
      this.isLogSlow = false;
      return this.goAlone(NEW_LIFE_MS);
    }
    this.hasCompany = false;
    if (!this.outbox.proven) return;
    this.alone = false;
    this.transmitFrom(0);
  }

  private get waitsLong(): boolean {
    return this.askedAt !== null && performance.now() - this.askedAt > SLOW_MS;
  }

  /** Compare an event with our message of the same number. */
  private noticeOwn(event: ChatEvent): void {
    const { acknowledged, renumbered, isForeign } = this.outbox.notice(event);
    if (isForeign) this.goAlone(OTHER_LIFE_MS);
    this.tellNumbers(renumbered);
    if (acknowledged.length + renumbered.length > 0) this.hooks.outboxChanged();
  }

  private tellNumbers(changes: Renumbered): void {
    if (changes.length > 0) this.hooks.numbered(changes);
  }

  private resendGap(expected: number): void {
    if (this.outbox.lacks(expected)) this.outbox.takeBack(expected - 1);
    if (this.outbox.lacks(expected)) {
      this.tellNumbers(this.outbox.renumber(this.hooks.newClientId()));
      this.hooks.outboxChanged();
      this.hooks.restoreAgain();
    } else this.resendAfter(0, expected);
  }

  private resendAfterBackoff(): void {
    if (this.resendTimer !== undefined) return;
    this.resendBackoff ??= this.newResendBackoff();
    this.resendAfter(this.resendBackoff.nextDelayMs(0));
  }

  private refuse(n: number, reason: string): void {
    const withdrawn = this.outbox.withdraw(n);
    if (withdrawn === null) return;
    this.hooks.refused(withdrawn.message, reason);
    this.tellNumbers(withdrawn.renumbered);
    this.hooks.outboxChanged();
    // What was sent behind it met a gap.
    this.resendAfter(0);
  }

  private resendAfter(delayMs: number, from = 0): void {
    if (this.resendTimer !== undefined) {
      this.resendFromN = Math.min(this.resendFromN, from);
      return;
    }
    this.resendFromN = from;
    this.resendTimer = setTimeout(() => this.resendNow(), RESEND_PAUSE_MS + delayMs);
  }

  private resendNow(): void {
    this.resendTimer = undefined;
    if (this.paceMs === null) return this.transmitFrom(this.resendFromN);
    const later = this.due(this.resendFromN)[AFTER_PAUSE];
    this.transmitFrom(this.resendFromN, AFTER_PAUSE);
    if (later === undefined) this.paceMs = null;
    else this.resendAfter(this.paceMs, later.n);
  }

  private stopResend(): void {
    clearTimeout(this.resendTimer);
    this.resendTimer = undefined;
    this.paceMs = null;
  }

  /**
   * Send what is pending, after storing its numbers and that it was sent: otherwise the next
   * life would give it other numbers.
   */
  private transmitStored(n: number): void {
    if (!this.hooks.isConnected()) return;
    const isNew = this.outbox.noteSent(this.due(n), this.hooks.position());
    if (isNew) this.hooks.outboxChanged();
    const stored = isNew ? this.hooks.stored() : undefined;
    if (stored === undefined) return this.transmitFrom(n);
    this.storing += 1;
    void stored.finally(() => {
      this.storing -= 1;
      this.transmitFrom(0);
    });
  }

  /** Send pending messages from `n` on, at most `limit` of them. */
  private transmitFrom(n: number, limit = Infinity): void {
    if (this.storing > 0 || this.doubtSince !== null || !this.hooks.isConnected()) return;
    const due = this.due(n).slice(0, limit);
    if (this.outbox.noteSent(due, this.hooks.position())) this.hooks.outboxChanged();
    if (due.length > 0) this.askedAt ??= performance.now();
    for (const message of due) this.hooks.transmit(toFrame(message));
  }

  /**
   * List what may be sent now, from message `n` on.
   *
   * A log that does not know us accepts any n: were the first message to fail and the
   * second to pass, the first would count as a resend. So the first goes alone.
   */
  private due(n: number): OutboxMessage[] {
    const [first] = this.outbox.pending;
    return this.outbox.due(n).filter((message) => !this.alone || message === first);
  }
}
