import type { ChatEvent, IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';

export interface OwnMessage {
  n: number;
  text: string;
  saved: boolean;
}

type Source = Pick<IsshoniClient, 'clientId' | 'pending' | 'on' | 'history'>;

const OLDER_AT_ONCE = 50;

/**
 * What the chat shows: the log, and after it one's own messages that it does not hold yet.
 *
 * An acknowledgement may overtake the event itself: such a message counts as saved and
 * stays in sight until the event takes its place.
 */
export class Conversation extends Observable {
  readonly messages: ChatEvent[] = [];
  /** Why the server will never take the last message that it refused. */
  refusal: string | null = null;
  /** Our own messages of which it is not known whether they arrived. */
  readonly doubtful: string[] = [];
  private own: OwnMessage[] = [];
  private loading = false;
  /** Whether the log may hold older messages than the first one here. */
  private hasOlder = true;

  constructor(private readonly client: Source) {
    super();
    client.on('chat', ({ messages, reset }) => this.take(messages, reset));
    client.on('saved', () => this.updateOwn());
    client.on('numbered', ({ changes }) => this.renumber(new Map(changes)));
    client.on('doubtful', ({ text }) => {
      this.doubtful.push(text);
      this.own = this.own.filter((message) => message.saved || message.text !== text);
      this.changed();
    });
    client.on('refused', ({ reason }) => {
      this.refusal = reason;
      this.changed();
    });
    this.updateOwn();
  }

  /** One's own messages that the log does not show yet, oldest first. */
  get waiting(): readonly OwnMessage[] {
    return this.own;
  }

  /** Fetch some of what was said before the first message here. */
  async loadOlder(): Promise<void> {
    const [first] = this.messages;
    if (this.loading || !this.hasOlder || first === undefined || first.seq <= 1) return;
    this.loading = true;
    try {
      const { messages, more } = await this.client.history(first.seq, OLDER_AT_ONCE);
      // Meanwhile the log may have become another one.
      if (this.messages[0] === first) {
        this.messages.unshift(...messages);
        this.hasOlder = more;
        this.changed();
      }
    } catch {
      // The session was left while the question was on its way.
    }
    this.loading = false;
  }

  private take(messages: ChatEvent[], reset: boolean): void {
    if (reset) {
      this.messages.length = 0;
      this.hasOlder = true;
      this.own = this.own.filter((message) => !message.saved);
    }
    this.messages.push(...messages);
    const { clientId } = this.client;
    const seen = new Set(messages.filter((m) => m.client_id === clientId).map((m) => m.n));
    this.own = this.own.filter((message) => !seen.has(message.n));
    this.changed();
  }

  private renumber(changes: Map<number, number>): void {
    this.own = this.own.map((message) => ({ ...message, n: changes.get(message.n) ?? message.n }));
  }

  private updateOwn(): void {
    const pending = new Map(this.client.pending.map((message) => [message.n, message]));
    const known = new Set(this.own.map((message) => message.n));
    const seen = this.lastSeen();
    this.own = this.own.map((message) => ({ ...message, saved: !pending.has(message.n) }));
    for (const { n, text } of pending.values()) {
      if (!known.has(n) && n > seen) this.own.push({ n, text, saved: false });
    }
    this.changed();
  }

  /** The greatest n of ours in the log: the event may be here before its acknowledgement. */
  private lastSeen(): number {
    const { clientId } = this.client;
    return this.messages.findLast((message) => message.client_id === clientId)?.n ?? 0;
  }
}
