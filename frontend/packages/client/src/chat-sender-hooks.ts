import type { Position } from './messages.js';
import type { OutboxMessage, Renumbered } from './outbox-state.js';

/** What a sender needs from its client. */
export interface ChatSenderHooks {
  /** Send on the current connection, if there is one. */
  transmit: (frame: object) => void;
  isConnected: () => boolean;
  /** Ask for a restore on the current connection, unless one is under way. */
  restoreAgain: () => unknown;
  /** The position of the last message that was delivered. */
  position: () => Position | null;
  outboxChanged: () => void;
  /** Resolves once the outbox is stored; undefined if it is stored already. */
  stored: () => Promise<void> | undefined;
  /** Called when the numbers of messages changed. */
  numbered: (changes: Renumbered) => void;
  refused: (message: OutboxMessage, reason: string) => void;
  /** Called for a message that is not sent again, because it may have been in the log. */
  doubtful: (message: OutboxMessage) => void;
  newClientId: () => string;
}
