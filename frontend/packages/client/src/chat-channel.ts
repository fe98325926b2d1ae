import type { Backoff } from './backoff.js';
import { EventTail } from './event-tail.js';
import { HistoryRequests } from './history-requests.js';
import { isForNow, type ChatEvent, type HistoryPage, type Position } from './messages.js';
import type { ServerError, SessionRestored } from './messages.js';
import type { Outbox, OutboxMessage } from './outbox.js';
import { Timeline, type Delivery, type Hole } from './timeline.js';

/** Several complaints about one burst are answered by one resend. */
const RESEND_PAUSE_MS = 100;
/** What a server that finds us too fast takes at once after the pause that it asks for. */
const AFTER_PAUSE = 50;
const LONGEST_PACE_MS = 60_000;

export interface ChatChannelHooks {
  /** Send on the connection in use, or nowhere. */
  transmit: (frame: object) => void;
  /** Ask for a restore on the connection in use. */
  restoreAgain: () => void;
  /** How long to wait with a question that is not answered just now. */
  pauseMs: () => number;
  taken: (messages: ChatEvent[], reset: boolean) => void;
  outboxChanged: () => void;
  hole: (hole: Hole) => void;
  refused: (message: OutboxMessage, reason: string) => void;
  newClientId: () => string;
}

const NEVER_TAKEN = ['too_large', 'bad_message', 'read_only'];

/** The chat of one session, whatever connections it travels on. */
export class ChatChannel {
  private readonly timeline = new Timeline<ChatEvent>();
  private readonly tail = new EventTail();
  private readonly older = new HistoryRequests((frame) => this.hooks.transmit(frame));
  private resendTimer: ReturnType<typeof setTimeout> | undefined;
  private resendFromN = 0;
  /** Between the parts of a resend, when the server told us that we are too fast. */
  private paceMs: number | null = null;
  private restoring = false;
  private logKnowsUs = false;
  /** Lives from the first `not_saved` to the next acknowledgement. */
  private resendBackoff: Backoff | null = null;

  constructor(
    readonly outbox: Outbox,
    private readonly newResendBackoff: () => Backoff,
    private readonly hooks: ChatChannelHooks,
  ) {}

  /** The last message delivered; null before the first restore. */
  get position(): Position | null {
    return this.timeline.position;
  }

  /** What a restore says of us: who we are, where, and the event that proves it. */
  whoAndWhere(): object {
    const { position } = this;
    const held = position && this.tail.at(position.epoch, position.seq);
    return { client_id: this.outbox.clientId, ...(position && { position }), ...(held && { held }) };
  }

  /** Ask for messages before a seq. */
  history(before: number, limit: number): Promise<HistoryPage> {
    return this.older.ask(before, limit);
  }

  takeHistory({ chat_history: messages, more }: { chat_history: ChatEvent[]; more: boolean }): void {
    this.older.answer({ messages, more });
  }

  /** Hand back what the log lacks and we hold. */
  recalled(epoch: string, after: number): object {
    return { type: 'recalled', epoch, events: this.tail.after(epoch, after) };
  }

  send(text: string): OutboxMessage {
    const message = this.outbox.add(text);
    this.hooks.outboxChanged();
    // While a resend is due, what is new waits behind it: the order of n is the order sent.
    if (this.resendTimer === undefined) this.transmitFrom(message.n);
    return message;
  }

  /** Take the answer to a restore from `asked`: catch up, then send what is not acknowledged. */
  restored(asked: Position | null, reply: SessionRestored): void {
    this.restoring = false;
    for (const event of reply.chat_history) this.tail.add(reply.position.epoch, event);
    const delivery = this.timeline.restore(asked, reply.mode, reply.position, reply.chat_history);
    this.deliver(delivery);
    // A log that merely forgot us (it says 0, and is the same one) has lost nothing.
    if (reply.last_n > 0 || delivery.restarted) this.outbox.takeBack(reply.last_n);
    this.drop(reply.last_n);
    this.logKnowsUs = reply.last_n > 0;
    this.stopResend();
    this.transmitFrom(0);
    this.older.askAgain(0);
  }

  /** Take a live event from a connection that was restored in log `epoch`. */
  receive(epoch: string, event: ChatEvent): void {
    const delivery = this.timeline.receive(epoch, event);
    if (delivery.holes.length === 0) {
      this.tail.add(epoch, event);
      return this.deliver(delivery);
    }
    // One restore at a time: until it answers, all that comes lies beyond the hole.
    if (this.restoring) return;
    this.restoring = true;
    this.deliver(delivery);
    this.hooks.restoreAgain();
  }

  acknowledge(n: number): void {
    this.resendBackoff = null;
    this.drop(n);
    if (this.logKnowsUs) return;
    this.logKnowsUs = true;
    this.transmitFrom(0);
  }

  /** Act on an error about a message of ours; nothing leaves the outbox unless refused. */
  receiveError(error: ServerError): void {
    if (error.code === 'not_saved') this.resendAfterBackoff();
    else if (error.code === 'gap') this.resendGap(error.expected ?? 0);
    else if (error.n === undefined) this.askAgain(error);
    else if (error.code === 'rate_limited') {
      this.paceMs = Math.min(error.retry_after_ms ?? 1000, LONGEST_PACE_MS);
      this.resendAfter(this.paceMs, error.n);
    } else if (NEVER_TAKEN.includes(error.code)) this.refuse(error.n, error.message);
  }

  private askAgain(error: ServerError): void {
    if (!isForNow(error)) return;
    const delayMs = Math.max(error.retry_after_ms ?? 0, this.hooks.pauseMs());
    this.older.askAgain(delayMs);
    if (this.restoring) setTimeout(() => this.restoring && this.hooks.restoreAgain(), delayMs);
  }

  /** Leave for good. */
  close(): void {
    this.lost();
    this.older.close();
  }

  /** The connection is gone: the next restore sends everything again. */
  lost(): void {
    this.restoring = false;
    this.stopResend();
  }

  private resendGap(expected: number): void {
    if (this.outbox.lacks(expected)) this.outbox.takeBack(expected - 1);
    if (this.outbox.lacks(expected)) {
      this.outbox.renumber(this.hooks.newClientId());
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
    const later = this.outbox.resendFrom(this.resendFromN)[AFTER_PAUSE];
    this.transmitFrom(this.resendFromN, AFTER_PAUSE);
    if (later === undefined) this.paceMs = null;
    else this.resendAfter(this.paceMs, later.n);
  }

  private stopResend(): void {
    clearTimeout(this.resendTimer);
    this.resendTimer = undefined;
    this.paceMs = null;
  }

  private deliver({ events, holes, restarted }: Delivery<ChatEvent>): void {
    holes.forEach((hole) => this.hooks.hole(hole));
    if (events.length > 0 || restarted) this.hooks.taken(events, restarted);
  }

  private drop(n: number): void {
    this.outbox.acknowledge(n);
    this.hooks.outboxChanged();
  }

  /**
   * Send what is pending from message `n` on, at most `limit` of it.
   *
   * A log that does not know us accepts any n: were the first message to fail and the
   * second to pass, the first would count as a resend. So the first goes alone.
   */
  private transmitFrom(n: number, limit = Infinity): void {
    const [first] = this.outbox.pending;
    for (const message of this.outbox.resendFrom(n).slice(0, limit)) {
      if (this.logKnowsUs || message === first) this.hooks.transmit({ type: 'chat', ...message });
    }
  }
}
