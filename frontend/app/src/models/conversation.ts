import { Conversation as Log, type About, type ChatEvent, type ConversationMessage, type IsshoniClient, type OutboxMessage } from '@isshoni/client';
import { Observable } from '../observable.js';

export interface OwnMessage extends OutboxMessage {
  saved: boolean;
}

/** Kinds of messages that only change what another one shows. */
const ACTS = ['react', 'unreact', 'edit', 'delete'];

/** True for a message that only changes what another one shows. */
export function isAct({ about }: { about?: unknown }): boolean {
  return ACTS.includes(String((about as Partial<About> | null | undefined)?.kind));
}

type Source = Pick<IsshoniClient, 'clientId' | 'pending' | 'on' | 'history'>;

/** How many older messages are shown at once as the user scrolls up. */
const OLDER_AT_ONCE = 50;
/** How many are asked for at once by a search. */
const LARGEST_PAGE = 200;

/**
 * The messages of the chat: the log, followed by own messages that are not in the log yet.
 *
 * An acknowledgement may arrive before the message's event: the message is then shown as saved
 * until the event replaces it.
 */
export class Conversation extends Observable {
  private readonly log = new Log();
  /** The seq of the oldest event here; it need not be that of a message. */
  private firstSeq: number | null = null;
  /** The greatest own n in the log: an event may arrive before its acknowledgement. */
  private lastSeen = 0;
  /** The server's reason for refusing the last refused message; null if it refused none. */
  refusal: string | null = null;
  /** Own messages that may or may not have arrived. */
  readonly doubtful: string[] = [];
  private own: OwnMessage[] = [];
  private loading: Promise<void> | null = null;
  /** How often the log was replaced: an answer about an earlier one is dropped. */
  private resets = 0;
  /** The seq of the first message shown; a search loads older ones that are not shown. */
  private shownFrom: number | null = null;
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

  /** All messages that were loaded; those that did not change are the same objects. */
  get messages(): readonly ConversationMessage[] {
    return this.log.messages;
  }

  /** Own messages that are not in the log yet, oldest first; without those that only change others. */
  get waiting(): readonly OwnMessage[] {
    return this.own.filter((message) => !isAct(message));
  }

  /** How many changes to messages are not saved yet. */
  get unsavedActs(): number {
    return this.own.filter((message) => isAct(message) && !message.saved).length;
  }

  /** The messages that the list shows. */
  get shown(): readonly ConversationMessage[] {
    const { messages, shownFrom } = this;
    if (shownFrom === null) return messages;
    const from = messages.findIndex(({ seq }) => seq >= shownFrom);
    return from <= 0 ? messages : messages.slice(from);
  }

  /** True while older messages are on their way. */
  get isLoading(): boolean {
    return this.loading !== null;
  }

  /** True if there are older messages than the first one shown. */
  get hasMore(): boolean {
    return this.canLoad || this.shown[0] !== this.messages[0];
  }

  /** Return a message by what names it; null if it was not loaded. */
  find(about: About): ConversationMessage | null {
    return this.log.find(about);
  }

  /** Show up to 50 messages from before the first one shown. */
  async loadOlder(): Promise<void> {
    if (this.loading !== null || !this.hasMore) return;
    const first = this.shown[0]?.seq ?? Infinity;
    if (first === (this.messages[0]?.seq ?? Infinity)) await this.load(OLDER_AT_ONCE);
    const at = this.messages.findIndex(({ seq }) => seq >= first);
    if (at > 0) this.showFrom(this.messages[Math.max(0, at - OLDER_AT_ONCE)]!.seq);
  }

  /** Load a page of older messages without showing them; resolves to false at the end of the log. */
  async searchOlder(): Promise<boolean> {
    this.shownFrom ??= this.messages[0]?.seq ?? null;
    await this.load(LARGEST_PAGE);
    return this.canLoad;
  }

  /** Load older messages until the one that is named is here; null if the log has none. */
  async searchFor(about: About): Promise<ConversationMessage | null> {
    let hasOlder = true;
    while (this.find(about) === null && hasOlder) hasOlder = await this.searchOlder();
    return this.find(about);
  }

  /** Show all messages from a seq on. */
  showFrom(seq: number): void {
    if (this.shownFrom === null || this.shownFrom <= seq) return;
    this.shownFrom = seq;
    this.changed();
  }

  private get canLoad(): boolean {
    return this.hasOlder && this.firstSeq !== null && this.firstSeq > 1;
  }

  private async load(limit: number): Promise<void> {
    if (!this.canLoad) return;
    this.loading ??= this.askForOlder(this.firstSeq!, limit).finally(() => {
      this.loading = null;
      this.changed();
    });
    await this.loading;
  }

  private async askForOlder(before: number, limit: number): Promise<void> {
    const { resets } = this;
    try {
      const { messages, more } = await this.client.history(before, limit);
      if (this.resets !== resets) return;
      this.hasOlder = more;
      this.addEvents(messages);
    } catch {
      // The session was closed while waiting.
    }
  }

  private addMessages(messages: ChatEvent[], reset: boolean): void {
    if (reset) {
      this.resets += 1;
      this.log.reset();
      this.firstSeq = null;
      this.lastSeen = 0;
      this.hasOlder = true;
      this.shownFrom = null;
      this.own = this.own.filter((message) => !message.saved);
    }
    this.addEvents(messages);
    const { clientId } = this.client;
    const seen = new Set(messages.filter((m) => m.client_id === clientId).map((m) => m.n));
    this.own = this.own.filter((message) => !seen.has(message.n));
    this.changedSoon();
  }

  private addEvents(events: ChatEvent[]): void {
    this.log.add(events);
    for (const { seq, client_id, n } of events) {
      this.firstSeq = Math.min(this.firstSeq ?? seq, seq);
      if (client_id === this.client.clientId) this.lastSeen = Math.max(this.lastSeen, n);
    }
  }

  private renumber(changes: Map<number, number>): void {
    this.own = this.own.map((message) => ({ ...message, n: changes.get(message.n) ?? message.n }));
    this.changed();
  }

  /** Compare the own messages with the outbox; notify only of a difference: strokes are saved 50 times a second. */
  private updateOwn(): void {
    const pending = new Map(this.client.pending.map((message) => [message.n, message]));
    const known = new Set(this.own.map((message) => message.n));
    const added = [...pending.values()].filter(({ n }) => !known.has(n) && n > this.lastSeen);
    const isSame = added.length === 0 && this.own.every(({ n, saved }) => saved !== pending.has(n));
    if (isSame) return;
    const kept = this.own.map((message) => ({ ...message, saved: !pending.has(message.n) }));
    this.own = [...kept, ...added.map((message) => ({ ...message, saved: false }))];
    this.changed();
  }
}
