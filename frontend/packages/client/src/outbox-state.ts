import type { Position } from './messages.js';

export interface OutboxMessage {
  n: number;
  text: string;
  /** `n` may still change: no server was asked for the last one yet. */
  provisional?: boolean;
}

export interface OutboxState {
  client_id: string;
  last_n: number;
  pending: OutboxMessage[];
  /** The greatest number that may have been sent. */
  sent_n?: number;
  /** Where the log was when the oldest of `pending` was first sent. */
  sent_at?: Position | null;
}

/** Old number and new number of each message that changed it. */
export type Renumbered = [number, number][];

/** What an event under the sender's own client_id changed. */
export interface Noticed {
  acknowledged: number[];
  renumbered: Renumbered;
  /** Another life of this client_id, or a duplicate, is writing. */
  isForeign: boolean;
}
