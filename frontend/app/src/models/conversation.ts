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
 * The messages of the chat: the log, followed by own messages that are not in the log yet.
 *
 * An acknowledgement may arrive before the message's event: the message is then shown as saved
 * until the event replaces it.
 */
export class Conversation extends Observable {
  readonly messages: ChatEvent[] = [];
  /** The server's reason for refusing the last refused message; null if it refused none. */
  refusal: string | null = null;
  /** Own messages that may or may not have arrived. */
  readonly doubtful: string[] = [];
  private own: OwnMessage[] = [];
  private loading = false;
  /** True if the log may have older messages than the first one here. */
  private hasOlder = true;

  constructor(private readonly client: Source) {
    super();
    client.on('chat', ({ messages, reset }) => this.addMessages(messages, reset));
    client.on('saved', () => this.updateOwn());
    client.on('numbered', ({ changes }) => this.renumber(new Map(changes)));
    client.on('doubtful', ({ text }) => {
      this.doubtful.push(text);
      this.own = this.own.filter((message) => message.saved || message.text !== text);
      this.changed();
    });
    client.on('refused', ({ n, text, reason }) => {
      this.refusal = reason;
      this.own = this.own.filter((message) => message.n !== n || message.text !== text);
      this.changed();
    });
    this.updateOwn();
  }

  /** Own messages that are not in the log yet, oldest first. */
  get waiting(): readonly OwnMessage[] {
    return this.own;
  }

  /** Load up to 50 messages from before the first one here. */
  async loadOlder(): Promise<void> {
    const [first] = this.messages;
    if (this.loading || !this.hasOlder || first === undefined || first.seq <= 1) return;
    this.loading = true;
    try {
      const { messages, more } = await this.client.history(first.seq, OLDER_AT_ONCE);
      // The log may have been replaced while waiting.
      if (this.messages[0] === first) {
        this.messages.unshift(...messages);
        this.hasOlder = more;
        this.changed();
      }
    } catch {
      // The session was closed while waiting.
    }
    this.loading = false;
  }

  private addMessages(messages: ChatEvent[], reset: boolean): void {
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

  /** The greatest own n in the log: an event may arrive before its acknowledgement. */
  private lastSeen(): number {
    const { clientId } = this.client;
    return this.messages.findLast((message) => message.client_id === clientId)?.n ?? 0;
  }
}
