import type { Author, ConversationMessage, IsshoniClient } from '@isshoni/client';

/** The reactions that are offered first; any other emoji can be typed. */
export const EMOJI = ['👍', '❤️', '😂', '🎉', '👀', '🙏'];

type Self = Pick<IsshoniClient, 'clientId' | 'permit'>;

/** True if this user is the author: a user by their token, a guest by the client_id. */
export function isBySelf({ clientId, permit }: Self, { by, client_id }: Author): boolean {
  const subject = permit?.subject ?? undefined;
  return by !== undefined || subject !== undefined ? by === subject : client_id === clientId;
}

/** Return whether this user can edit, and can delete, a message here. */
export function changesOf(client: IsshoniClient, message: ConversationMessage): { edit: boolean; delete: boolean } {
  const { features } = client.chat;
  const isOwn = isBySelf(client, message) && !message.deleted && !message.unreadable && client.permit?.role !== 'read';
  return { edit: isOwn && features.includes('edit'), delete: isOwn && features.includes('delete') };
}

/** True if this user can do something that the server takes as `feature`. */
export function can({ chat, permit }: IsshoniClient, feature: string): boolean {
  return chat.features.includes(feature) && permit?.role !== 'read';
}

/** Add this user's reaction to a message, or remove it. */
export function toggleReaction(client: IsshoniClient, message: ConversationMessage, emoji: string): void {
  const hasReacted = message.reactions.get(emoji)?.some((author) => isBySelf(client, author)) ?? false;
  if (hasReacted) client.chat.unreact(message, emoji);
  else client.chat.react(message, emoji);
}

/** True for one emoji, of however many code points. */
export function isEmoji(text: string): boolean {
  if (!/\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|\u20E3/u.test(text)) return false;
  return [...text].length <= 32 && [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)].length === 1;
}
