import type { Backoff } from './backoff.js';
import type { ChatEvent, Position, ServerError, SessionRestored } from './messages.js';
import type { Outbox, OutboxMessage } from './outbox.js';
import { Timeline, type Delivery, type Hole } from './timeline.js';

/** Several complaints about one burst are answered by one resend. */
const RESEND_PAUSE_MS = 100;

export interface ChatChannelHooks {
  /** Send on the connection in use, or nowhere. */
  transmit: (frame: object) => void;
  /** Ask for a restore on the connection in use. */
  restoreAgain: () => void;
  taken: (messages: ChatEvent[], reset: boolean) => void;
  outboxChanged: () => void;
  hole: (hole: Hole) => void;
  refused: (message: OutboxMessage, reason: string) => void;
  newClientId: () => string;
}

/** The chat of one session, whatever connections it travels on. */
export class ChatChannel {
  private readonly timeline = new Timeline<ChatEvent>();
  private resendTimer: ReturnType<typeof setTimeout> | undefined;
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
    this.deliver(this.timeline.restore(asked, reply.mode, reply.position, reply.chat_history));
    this.drop(reply.last_n);
    this.logKnowsUs = reply.last_n > 0;
    this.stopResend();
    this.transmitFrom(0);
  }

  /** Take a live event from a connection that was restored in log `epoch`. */
  receive(epoch: string, event: ChatEvent): void {
    const delivery = this.timeline.receive(epoch, event);
    if (delivery.holes.length === 0) return this.deliver(delivery);
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
    this.resendTimer ??= setTimeout(() => {
      this.resendTimer = undefined;
      this.transmitFrom(from);
    }, RESEND_PAUSE_MS + delayMs);
  }

  private stopResend(): void {
    clearTimeout(this.resendTimer);
    this.resendTimer = undefined;
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
   * Send what is pending from message `n` on.
   *
   * A log that does not know us accepts any n: were the first message to fail and the
   * second to pass, the first would count as a resend. So the first goes alone.
   */
  private transmitFrom(n: number): void {
    const [first] = this.outbox.pending;
    for (const message of this.outbox.resendFrom(n)) {
      if (this.logKnowsUs || message === first) this.hooks.transmit({ type: 'chat', ...message });
    }
  }
}
