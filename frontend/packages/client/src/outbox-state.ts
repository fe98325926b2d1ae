import type { ChatContent } from './chat-content.js';
import type { Position } from './messages.js';

export interface OutboxMessage extends ChatContent {
  n: number;
  /** True while `n` may still change: the log's last number is not known yet. */
  provisional?: boolean;
}

/** Return a message as it goes over the wire. */
export function toFrame({ n, text, about, files }: OutboxMessage): object {
  return { type: 'chat', n, text, ...(about && { about }), ...(files && { files }) };
}

export interface OutboxState {
  client_id: string;
  last_n: number;
  pending: OutboxMessage[];
  /** The greatest number that may have been sent. */
  sent_n?: number;
  /** The position of the log when the oldest of `pending` was first sent. */
  sent_at?: Position | null;
}

/** Old and new number of each message whose number changed. */
export type Renumbered = [number, number][];

/** A message that left the outbox because the server will never accept it. */
export interface Withdrawn {
  message: OutboxMessage;
  renumbered: Renumbered;
}

/** The changes to the outbox after an event under its own client_id. */
export interface Noticed {
  acknowledged: number[];
  renumbered: Renumbered;
  /** True if another life of this client_id, or a duplicate, is writing. */
  isForeign: boolean;
}
