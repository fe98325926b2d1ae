import type { ChatEvent, IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';
import { isAct } from './conversation.js';
import type { ReadMark, ReadMarks } from './read-marks.js';

type Source = Pick<IsshoniClient, 'clientId' | 'permit' | 'on'>;

/** Messages that came while the user did not see the chat. */
export class Unread extends Observable {
  count = 0;
  /** The seq of the first unread message; it stays marked after it was read, until something new is unread. */
  first: number | null = null;
  /** Called with each message that came while the user did not see the chat. */
  missed: (message: ChatEvent) => void = () => undefined;
  private hasJoined = false;
  private isWatched: () => boolean = () => false;
  /** The newest message here. */
  private newest: ReadMark | null = null;

  constructor(
    private readonly client: Source,
    private readonly marks: Pick<ReadMarks, 'load' | 'save'>,
  ) {
    super();
    client.on('chat', ({ messages, reset }) => this.add(messages, reset));
    // What the first restore brings was there before this user, or before a reload.
    client.on('status', ({ status }) => (this.hasJoined ||= status === 'restored'));
  }

  /** Ask `isWatched` whether the user sees the newest messages; returns a function that stops it. */
  watch(isWatched: () => boolean): () => void {
    this.isWatched = isWatched;
    return () => void (this.isWatched = () => false);
  }

  /** Set all as read, if the user sees the newest messages now. */
  look(): void {
    if (!this.isWatched()) return;
    this.keepMark();
    if (this.count === 0) return;
    this.count = 0;
    this.changed();
  }

  /** Remove the mark at the first unread message. */
  unmark(): void {
    if (this.first === null) return;
    this.first = null;
    this.changed();
  }

  private add(messages: ChatEvent[], reset: boolean): void {
    const [count, first] = [this.count, this.first];
    // Another log: its numbers say nothing about what was read.
    if (reset) [this.count, this.first] = [0, null];
    else if (this.hasJoined) this.note(messages, this.missed);
    else this.note(messages.slice(this.countRead(messages)), () => undefined);
    this.newest = messages.at(-1) ?? this.newest;
    if (this.count === 0) this.keepMark();
    // Each change renders the whole chat: one for each message would not keep up with a busy session.
    if (this.count !== count || this.first !== first) this.changedSoon();
  }

  /** Return how many of the first messages the user has read before, in this browser; all on a first visit. */
  private countRead(messages: ChatEvent[]): number {
    const mark = this.marks.load();
    if (mark === null) return messages.length;
    const at = messages.find(({ seq }) => seq === mark.seq);
    const isSameLog = at === undefined || (at.client_id === mark.client_id && at.n === mark.n);
    return isSameLog ? messages.filter(({ seq }) => seq <= mark.seq).length : messages.length;
  }

  private keepMark(): void {
    if (this.newest !== null) this.marks.save(this.newest);
  }

  private note(messages: ChatEvent[], missed: (message: ChatEvent) => void): void {
    for (const message of messages) {
      if (isAct(message)) continue;
      if (this.isOwn(message)) this.first = null;
      else if (!this.isWatched()) {
        if (this.count === 0) this.first = message.seq;
        this.count += 1;
        missed(message);
      }
    }
  }

  private isOwn({ client_id, by }: ChatEvent): boolean {
    return client_id === this.client.clientId || (by !== undefined && by === this.client.permit?.subject);
  }
}
