import type { ChatContent } from './chat-content.js';
import type { OutboxMessage, Renumbered } from './outbox-state.js';

interface Numbered {
  messages: OutboxMessage[];
  changes: Renumbered;
}

/** Return a message without its number, and with the fields that this version does not know. */
export function toContent({ n: _, provisional: __, ...content }: OutboxMessage): ChatContent {
  return content;
}

/** Number messages from `after` + 1. */
export function numberFrom(messages: readonly OutboxMessage[], after: number): Numbered {
  return withChanges(messages, messages.map((message, index) => ({ ...toContent(message), n: after + 1 + index })));
}

/** Remove message `n`, and give each later one the number before its own. */
export function closeGap(messages: readonly OutboxMessage[], n: number): Numbered {
  const rest = messages.filter((message) => message.n !== n);
  return withChanges(rest, rest.map((message) => (message.n > n ? { ...message, n: message.n - 1 } : message)));
}

function withChanges(before: readonly OutboxMessage[], messages: OutboxMessage[]): Numbered {
  const changes = before.map(({ n }, index): [number, number] => [n, messages[index]!.n]);
  return { messages, changes: changes.filter(([old, now]) => old !== now) };
}
