import type { Backoff } from './backoff.js';
import type { ChatEvent, ServerError, SessionRestored } from './messages.js';
import type { Outbox, OutboxMessage } from './outbox.js';
import { Timeline } from './timeline.js';

/** Several complaints about one burst are answered by one resend. */
const RESEND_PAUSE_MS = 100;

export interface ChatChannelHooks {
  /** Send on the connection in use, or nowhere. */
  transmit: (frame: object) => void;
  /** Ask for a restore on the connection in use. */
  restoreAgain: () => void;
  taken: (messages: ChatEvent[], reset: boolean) => void;
  outboxChanged: () => void;
  hole: (expected: number, got: number) => void;
  refused: (message: OutboxMessage, reason: string) => void;
  newClientId: () => string;
}

/** The chat of one session, whatever connections it travels on. */
export class ChatChannel {
  private readonly timeline = new Timeline();
  private resendTimer: ReturnType<typeof setTimeout> | undefined;
  private restoring = false;
  private logKnowsUs = false;

  constructor(
    readonly outbox: Outbox,
    private readonly resendBackoff: Backoff,
    private readonly hooks: ChatChannelHooks,
  ) {}

  get position(): Timeline['position'] {
    return this.timeline.position;
  }

  send(text: string): OutboxMessage {
    const message = this.outbox.add(text);
    this.hooks.outboxChanged();
    // While a resend is due, what is new waits behind it: the order of n is the order sent.
    if (this.resendTimer === undefined) this.transmitFrom(message.n);
    return message;
  }

  /** Take a restore: catch up first, then send again what is not acknowledged. */
  restored(reply: SessionRestored): void {
    this.restoring = false;
    const { reset, events } = this.timeline.restore(reply);
    this.hooks.taken(events, reset);
    this.drop(reply.last_n);
    this.logKnowsUs = reply.last_n > 0;
    this.stopResend();
    this.transmitFrom(0);
  }

  receive(event: ChatEvent): void {
    const expected = (this.position?.seq ?? 0) + 1;
    const taken = this.timeline.take(event);
    if (taken === 'next') this.hooks.taken([event], false);
    // One restore at a time: until it answers, all that comes lies beyond the hole.
    if (taken !== 'hole' || this.restoring) return;
    this.restoring = true;
    this.hooks.hole(expected, event.seq);
    this.hooks.restoreAgain();
  }

  acknowledge(n: number): void {
    this.resendBackoff.reset();
    this.drop(n);
    if (this.logKnowsUs) return;
    this.logKnowsUs = true;
    this.transmitFrom(0);
  }

  /** Act on an error about a message of ours; nothing leaves the outbox unless refused. */
  receiveError(error: ServerError): void {
    if (error.code === 'not_saved') this.resendAfter(this.resendBackoff.nextDelayMs());
    else if (error.code === 'gap') this.resendGap(error.expected ?? 0);
    else if (error.n !== undefined && (error.code === 'too_large' || error.code === 'bad_message')) {
      this.refuse(error.n, error.message);
    }
  }

  /** The connection is gone: the next restore sends everything again. */
  lost(): void {
    this.restoring = false;
    this.stopResend();
  }

  private resendGap(expected: number): void {
    if (this.outbox.lacks(expected)) {
      this.outbox.renumber(this.hooks.newClientId());
      this.hooks.outboxChanged();
      this.hooks.restoreAgain();
    } else this.resendAfter(0);
  }

  private refuse(n: number, reason: string): void {
    const message = this.outbox.withdraw(n);
    if (message === null) return;
    this.hooks.outboxChanged();
    this.hooks.refused(message, reason);
    this.resendAfter(0);
  }

  private resendAfter(delayMs: number): void {
    this.resendTimer ??= setTimeout(() => {
      this.resendTimer = undefined;
      this.transmitFrom(0);
    }, RESEND_PAUSE_MS + delayMs);
  }

  private stopResend(): void {
    clearTimeout(this.resendTimer);
    this.resendTimer = undefined;
  }

  private drop(n: number): void {
    this.outbox.acknowledge(n);
    this.hooks.outboxChanged();
  }

  /**
   * Send what is pending from message `n` on.
   *
   * A log that does not know us accepts any n: were the first message to fail and the
   * second to pass, the first would count as a resend. So the first goes alone.
   */
  private transmitFrom(n: number): void {
    const due = this.logKnowsUs ? this.outbox.pending : this.outbox.pending.slice(0, 1);
    for (const message of due) {
      if (message.n >= n) this.hooks.transmit({ type: 'chat', n: message.n, text: message.text });
    }
  }
}
