import type { Backoff } from './backoff.js';
import type { ChatContent } from './chat-content.js';
import { EventTail } from './event-tail.js';
import { HistoryRequests } from './history-requests.js';
import { isForNow, readFeatures, type ChatEvent, type HistoryPage, type Position } from './messages.js';
import type { ServerError, SessionRestored } from './messages.js';
import { ChatSender } from './chat-sender.js';
import type { ChatSenderHooks } from './chat-sender-hooks.js';
import type { OutboxMessage } from './outbox-state.js';
import type { Outbox } from './outbox.js';
import { Timeline, type Delivery, type Hole } from './timeline.js';

export interface ChatChannelHooks extends Omit<ChatSenderHooks, 'position'> {
  /** The subject of our token, as the server reported it; null for a guest. */
  subject: () => string | null;
  /** How long to wait with a question that is not answered just now. */
  pauseMs: () => number;
  taken: (messages: ChatEvent[], reset: boolean) => void;
  hole: (hole: Hole) => void;
}

/** The chat of one session, whatever connections it travels on. */
export class ChatChannel {
  private readonly timeline = new Timeline<ChatEvent>();
  private readonly tail = new EventTail();
  private readonly older = new HistoryRequests((frame) => this.hooks.transmit(frame));
  private readonly sender: ChatSender;
  private restoring = false;
  /** What chat messages may carry, as the server said last; empty before the first restore. */
  features: readonly string[] = [];

  constructor(
    readonly outbox: Outbox,
    newResendBackoff: () => Backoff,
    private readonly hooks: ChatChannelHooks,
  ) {
    this.sender = new ChatSender(outbox, newResendBackoff, {
      ...hooks,
      position: () => this.position,
      restoreAgain: () => this.restoreNow(),
    });
  }

  /** The last message delivered; null before the first restore. */
  get position(): Position | null {
    return this.timeline.position;
  }

  /** The position from which the next restore starts. */
  get restoreFrom(): Position | null {
    return this.sender.doubtSince ?? this.position;
  }

  /** Return a restore request: our client_id, our position, and the event at it as proof. */
  restoreRequest(sessionId: string, generation: number, region_proof?: string): object {
    const position = this.restoreFrom;
    const held = position && this.tail.at(position.epoch, position.seq);
    return {
      type: 'restore_session',
      session_id: sessionId,
      client_id: this.outbox.clientId,
      generation,
      can: ['migrate', 'canvas', 'replica', 'batch', 'regions'],
      ...(position && { position }),
      ...(held && { held }),
      ...(region_proof && { region_proof }),
    };
  }

  /** Ask for messages before a seq. */
  history(before: number, limit: number): Promise<HistoryPage> {
    return this.older.ask(before, limit);
  }

  takeHistory({ chat_history: messages, more }: { chat_history: ChatEvent[]; more: boolean }): void {
    this.older.answer({ messages, more });
  }

  /** Return the events that the log lacks and we have, for a `recall`. */
  recalled(epoch: string, after: number): object {
    return { type: 'recalled', epoch, events: this.tail.after(epoch, after) };
  }

  send(content: ChatContent): OutboxMessage {
    return this.sender.send(content);
  }

  /** Handle the answer to a restore from `asked`: catch up, then send what is not acknowledged. */
  restored(asked: Position | null, reply: SessionRestored): void {
    this.restoring = false;
    this.features = readFeatures(reply);
    for (const event of reply.chat_history) this.tail.add(reply.position.epoch, event);
    const delivery = this.timeline.restore(asked, reply.mode, reply.position, reply.chat_history);
    this.sender.settle(reply.last_n, reply.chat_history.filter((event) => this.isOurs(event)));
    this.deliver(delivery);
    this.sender.restored(asked, reply, delivery.restarted);
    if (delivery.isBehind) this.restoreNow();
    this.older.askAgain(0);
  }

  /** Handle a live event of a connection that was restored in log `epoch`. */
  receive(epoch: string, event: ChatEvent): void {
    const goOn = this.isOurs(event) ? this.sender.notice(event) : null;
    this.deliverLive(epoch, event);
    goOn?.();
  }

  acknowledge(n: number, isResend: boolean): void {
    this.sender.acknowledge(n, isResend);
  }

  /** Handle an error about a message or a request of ours. */
  receiveError(error: ServerError): void {
    if (error.n === undefined && error.code !== 'not_saved' && error.code !== 'gap') this.askAgain(error);
    else this.sender.receiveError(error);
  }

  private askAgain(error: ServerError): void {
    if (!isForNow(error)) return;
    const delayMs = Math.max(error.retry_after_ms ?? 0, this.hooks.pauseMs());
    this.older.askAgain(delayMs);
    if (this.restoring) setTimeout(() => this.restoring && this.hooks.restoreAgain(), delayMs);
  }

  /** Leave for good. */
  close(): void {
    this.sender.close();
    this.older.close();
  }

  /** The connection is gone: the next restore sends everything again. */
  lost(): void {
    this.restoring = false;
    this.sender.lost();
  }

  private deliverLive(epoch: string, event: ChatEvent): void {
    const delivery = this.timeline.receive(epoch, event);
    if (delivery.holes.length === 0) {
      this.tail.add(epoch, event);
      return this.deliver(delivery);
    }
    // One restore at a time: until its answer, every event comes after the missing ones.
    if (this.restoring) return;
    this.deliver(delivery);
    this.restoreNow();
  }

  private restoreNow(): void {
    this.restoring = true;
    this.hooks.restoreAgain();
  }

  private isOurs(event: ChatEvent): boolean {
    return event.client_id === this.outbox.clientId && (event.by ?? null) === this.hooks.subject();
  }

  private deliver({ events, holes, restarted }: Delivery<ChatEvent>): void {
    holes.forEach((hole) => this.hooks.hole(hole));
    if (events.length > 0 || restarted) this.hooks.taken(events, restarted);
  }
}
