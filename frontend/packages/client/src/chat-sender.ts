import type { Backoff } from './backoff.js';
import type { ChatEvent, Position, ServerError, SessionRestored } from './messages.js';
import type { OutboxMessage, Renumbered } from './outbox-state.js';
import type { Outbox } from './outbox.js';
import { showsSince } from './timeline.js';

/** Several complaints about one burst are answered by one resend. */
const RESEND_PAUSE_MS = 100;
/** What a server that finds us too fast takes at once after the pause that it asks for. */
const AFTER_PAUSE = 50;
const LONGEST_PACE_MS = 60_000;
/** For what an earlier life of a client sent last to arrive. */
const NEW_LIFE_MS = 1000;
/** For another life of it, once heard, to fall silent. */
const OTHER_LIFE_MS = 10_000;
/** For the event of a number that is in the log to show whose text has it. */
const EVENT_PATIENCE_MS = 2000;

const NEVER_TAKEN = ['too_large', 'bad_message', 'read_only'];

export interface ChatSenderHooks {
  /** Send on the connection in use, or nowhere. */
  transmit: (frame: object) => void;
  isConnected: () => boolean;
  /** Ask for a restore on the connection in use, unless one is asked for. */
  restoreAgain: () => unknown;
  /** The last message of the log that was delivered. */
  position: () => Position | null;
  outboxChanged: () => void;
  /** Fulfilled once the outbox is stored; nothing where that took no time. */
  stored: () => Promise<void> | undefined;
  /** Messages have other numbers now. */
  numbered: (changes: Renumbered) => void;
  refused: (message: OutboxMessage, reason: string) => void;
  /** It may have been in the log, which has forgotten: it is not sent again. */
  doubtful: (message: OutboxMessage) => void;
  newClientId: () => string;
}

/** One's own chat messages on their way into the log, and the timers of what is sent again. */
export class ChatSender {
  /** Nothing is sent until the log has said what came after this place. */
  doubtSince: Position | null = null;
  private resendTimer: ReturnType<typeof setTimeout> | undefined;
  private resendFromN = 0;
  /** Between the parts of a resend, when the server told us that we are too fast. */
  private paceMs: number | null = null;
  /** Nothing is sent while the outbox is being stored. */
  private storing = 0;
  /** Whether one message at a time is sent, see `due`. */
  private alone = true;
  private hasBegun = false;
  /** Another life under our name may be writing. */
  private hasCompany = false;
  private companyTimer: ReturnType<typeof setTimeout> | undefined;
  private missedEvent = false;
  private eventTimer: ReturnType<typeof setTimeout> | undefined;
  /** Lives from the first `not_saved` to the next acknowledgement. */
  private resendBackoff: Backoff | null = null;

  constructor(
    readonly outbox: Outbox,
    private readonly newResendBackoff: () => Backoff,
    private readonly hooks: ChatSenderHooks,
  ) {}

  send(text: string): OutboxMessage {
    const message = this.outbox.add(text);
    this.hooks.outboxChanged();
    // While a resend is due, what is new waits behind it: the order of n is the order sent.
    if (this.resendTimer === undefined) this.transmitFrom(message.n);
    return message;
  }

  /** Take a restore's `last_n`, and the events of ours that it brought. */
  settle(lastN: number, own: readonly ChatEvent[]): void {
    this.doubtSince = null;
    this.tellNumbers(this.outbox.settle(lastN));
    for (const event of own) this.noticeOwn(event);
  }

  /** Go on after a restore from `asked`: send what is not acknowledged. */
  restored(asked: Position | null, reply: SessionRestored, restarted: boolean): void {
    const { last_n: lastN } = reply;
    // A log that merely forgot us (it says 0, and is the same one) has lost nothing.
    if (lastN > 0 || restarted) this.outbox.takeBack(lastN);
    this.acknowledgeRestored(reply);
    this.assessDoubt(asked, reply);
    this.hooks.outboxChanged();
    if (lastN > 0 && !this.hasBegun) this.goAlone(NEW_LIFE_MS);
    this.hasBegun = true;
    this.alone = lastN === 0 || !this.outbox.proven || this.hasCompany;
    this.stopResend();
    this.transmitStored(0);
  }

  /** Take the `ack` of message `n`. */
  acknowledge(n: number, isResend: boolean): void {
    this.resendBackoff = null;
    const [first] = this.outbox.pending;
    this.outbox.answer(n, isResend);
    this.hooks.outboxChanged();
    this.awaitEvent();
    this.goOnAfter(first);
  }

  /** Take a live event under our name; returns what to do once it is shown. */
  notice(event: ChatEvent): () => void {
    const [first] = this.outbox.pending;
    this.noticeOwn(event);
    return () => this.goOnAfter(first);
  }

  /** Act on an error about a message of ours; nothing leaves the outbox unless refused. */
  receiveError(error: ServerError): void {
    if (error.code === 'not_saved') this.resendAfterBackoff();
    else if (error.code === 'gap') this.resendGap(error.expected ?? 0);
    else if (error.n === undefined) return;
    else if (error.code === 'rate_limited') {
      this.paceMs = Math.min(error.retry_after_ms ?? 1000, LONGEST_PACE_MS);
      this.resendAfter(this.paceMs, error.n);
    } else if (NEVER_TAKEN.includes(error.code)) this.refuse(error.n, error.message);
  }

  /** The connection is gone: the next restore sends everything again. */
  lost(): void {
    this.doubtSince = null;
    clearTimeout(this.eventTimer);
    this.eventTimer = undefined;
    this.stopResend();
  }

  close(): void {
    this.lost();
    clearTimeout(this.companyTimer);
  }

  /**
   * Find out what became of messages that may have been sent to a log that forgot us.
   *
   * What came since they were sent shows it. Where the log no longer reaches back so far
   * they go back to their author: sent again, they could be there twice.
   */
  private assessDoubt(asked: Position | null, reply: SessionRestored): void {
    const { mode, last_n: lastN, position, chat_history: history } = reply;
    const since = this.outbox.sentAt;
    if (mode !== 'full' || lastN > 0 || since === null || !this.outbox.isInDoubt(position.epoch)) return;
    if (showsSince(history, since) || position.seq <= since.seq) return;
    if (asked?.epoch === position.epoch) {
      for (const message of this.outbox.withdrawSent()) this.hooks.doubtful(message);
      return;
    }
    this.doubtSince = since;
    this.hooks.restoreAgain();
  }

  /**
   * Acknowledge up to the log's `last_n`.
   *
   * Where the history shows all since we sent, what it lacks is still on its way to this
   * server: its event will show whose text has the number. If it never comes, the number
   * has to do.
   */
  private acknowledgeRestored({ mode, last_n: lastN, position, chat_history: history }: SessionRestored): void {
    const { sentAt } = this.outbox;
    const showsAll = sentAt?.epoch === position.epoch && (mode === 'replay' || showsSince(history, sentAt));
    if (showsAll && !this.missedEvent) this.outbox.answer(lastN, true);
    else this.outbox.acknowledge(lastN);
    this.missedEvent = false;
    this.awaitEvent();
  }

  /** If a message of ours is in the log, and its event does not come, ask for a restore. */
  private awaitEvent(): void {
    if (!this.outbox.awaitsEvent) return;
    this.eventTimer ??= setTimeout(() => {
      this.eventTimer = undefined;
      if (!this.outbox.awaitsEvent || !this.hooks.isConnected()) return;
      this.missedEvent = true;
      this.hooks.restoreAgain();
    }, EVENT_PATIENCE_MS);
  }

  /** Send the next ones, if they waited for the first. */
  private goOnAfter(first: OutboxMessage | undefined): void {
    if (!this.alone || this.outbox.pending[0] === first) return;
    this.alone = !this.outbox.proven || this.hasCompany;
    this.transmitStored(0);
  }

  /**
   * Go one at a time for a while: what another life under our name sends may take a
   * number of ours, and the next message must not pass the one that loses it.
   */
  private goAlone(ms: number): void {
    clearTimeout(this.companyTimer);
    this.alone = this.hasCompany = true;
    this.companyTimer = setTimeout(() => {
      this.hasCompany = false;
      if (!this.outbox.proven) return;
      this.alone = false;
      this.transmitFrom(0);
    }, ms);
  }

  /** Compare an event with what we sent under its number. */
  private noticeOwn(event: ChatEvent): void {
    const { acknowledged, renumbered, isForeign } = this.outbox.notice(event.n, event.text);
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
    const message = this.outbox.withdraw(n);
    if (message === null) return;
    this.hooks.outboxChanged();
    this.hooks.refused(message, reason);
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
   * Send what is pending, once it is stored that it is sent, and under which numbers: a
   * next life that did not know would number it again.
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

  /** Send what is pending from message `n` on, at most `limit` of it. */
  private transmitFrom(n: number, limit = Infinity): void {
    if (this.storing > 0 || this.doubtSince !== null || !this.hooks.isConnected()) return;
    const due = this.due(n).slice(0, limit);
    if (this.outbox.noteSent(due, this.hooks.position())) this.hooks.outboxChanged();
    for (const { n: number, text } of due) this.hooks.transmit({ type: 'chat', n: number, text });
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
