import type { ChatChannel } from './chat-channel.js';
import { checkExtras, DELETED_TEXT, type About, type ChatFile, type Extras, type Kind } from './chat-content.js';
import { toChatText, type HistoryPage } from './messages.js';
import type { OutboxMessage } from './outbox-state.js';

/** A message of the log: an event of it, or a message of a `Conversation`. */
export type Target = Pick<About, 'client_id' | 'n' | 'by'>;

/** Return the field `about` of a message about another one. */
export function aboutMessage(kind: Kind, { client_id, n, by }: Target): About {
  return { kind, client_id, n, ...(by !== undefined && { by }) };
}

/**
 * What a user does in the chat, now or as soon as there is a connection.
 *
 * Each message stays in `pending` until it is in Redis, whatever it does. A server that lacks a
 * feature shows all of them as plain text: offer only what `features` names.
 */
export class ChatActions {
  constructor(private readonly channel: ChatChannel) {}

  /** What this server takes: `reply`, `react`, `edit`, `delete`, `files`; empty before the first restore. */
  get features(): readonly string[] {
    return this.channel.features;
  }

  /** Messages typed but not yet known to be in Redis, oldest first. */
  get pending(): readonly OutboxMessage[] {
    return this.channel.outbox.pending;
  }

  /**
   * Send a message, perhaps about another one, perhaps with files of the session.
   *
   * Throws RangeError when `text` is empty or longer than 4000 characters, or an extra is not
   * what the server takes.
   */
  send(text: string, extras: Extras = {}): OutboxMessage {
    const sent = toChatText(text);
    return this.channel.send({ text: sent, ...checkExtras(sent, extras) });
  }

  reply(target: Target, text: string, files: readonly ChatFile[] = []): OutboxMessage {
    return this.send(text, { about: aboutMessage('reply', target), files });
  }

  react(target: Target, emoji: string): OutboxMessage {
    return this.send(emoji, { about: aboutMessage('react', target) });
  }

  /** Remove one's own reaction. */
  unreact(target: Target, emoji: string): OutboxMessage {
    return this.send(emoji, { about: aboutMessage('unreact', target) });
  }

  /** Replace the text of one's own message; readers ignore it for another author's. */
  edit(target: Target, text: string): OutboxMessage {
    return this.send(text, { about: aboutMessage('edit', target) });
  }

  /** Delete one's own message; readers ignore it for another author's. */
  delete(target: Target): OutboxMessage {
    return this.send(DELETED_TEXT, { about: aboutMessage('delete', target) });
  }

  /**
   * Ask for the last `limit` (up to 200) messages before a seq, now or once connected.
   *
   * Rejects when the session is left.
   */
  history(before: number, limit = 100): Promise<HistoryPage> {
    return this.channel.history(before, limit);
  }
}
