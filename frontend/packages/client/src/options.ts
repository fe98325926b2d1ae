import type * as Y from 'yjs';
import { DEFAULT_BACKOFF, type BackoffPolicy } from './backoff.js';
import type { ChatContent } from './chat-content.js';
import type { ChatEvent, ServerIdentity } from './messages.js';
import type { Renumbered } from './outbox-state.js';
import type { Token } from './tokens.js';
import { memoryStorage, type SessionStore } from './storage.js';
import type { Hole } from './timeline.js';

export type Status =
  /** Not yet restored for the first time. */
  | 'connecting'
  /** All is well. */
  | 'restored'
  /** Lost; coming back by ourselves. */
  | 'reconnecting'
  /** Lost, and the browser knows of no network. */
  | 'offline'
  /** The server said: do not come back. */
  | 'refused'
  | 'closed';

export interface Unsaved {
  messages: number;
  canvas: boolean;
}

export interface ClientEvents {
  /** `code` is the close code of a refusal. */
  status: { status: Status; server: ServerIdentity | null; code?: number };
  /** New messages in order; `reset` means: forget those held before. */
  chat: { messages: ChatEvent[]; reset: boolean };
  /** Another version or colour serves us now; `gap_ms` without any connection. */
  moved: { version: string; colour: string; gap_ms: number };
  /** The canvas holds what the server had: once for each connection. */
  synced: object;
  /** What is not yet in Redis has changed. */
  saved: Unsaved;
  /** Messages were missed; if the log still has them, they come next. */
  hole: Hole;
  /** The server will never accept this message; it has left the outbox. */
  refused: ChatContent & { n: number; reason: string };
  /** Old and new numbers of messages whose number the log had used, or that follow a refused one. */
  numbered: { changes: Renumbered };
  /**
   * It is not known whether this message, sent long ago, reached the log. It has left the
   * outbox; its author may send it again.
   */
  doubtful: ChatContent;
  /**
   * A change to the canvas was refused for good. After `canvas_full` and `read_only` all other
   * changes on this connection are refused too. `too_large`: one value of `bytes` was removed from
   * the canvas, because the server accepts at most `most_bytes` in a frame; the rest continues.
   */
  canvas_refused: { code: string; reason: string; bytes?: number; most_bytes?: number };
}

export interface ClientOptions {
  /** The canvas; a new document by default. */
  doc?: Y.Doc;
  /** Where what is unsaved outlives a reload; memory by default. */
  store?: SessionStore;
  /** Where the server asks for one; a function is asked again before it runs out. */
  token?: Token;
  /** Origins of other regions, to try when the address fails; servers name them too. */
  alternatives?: readonly string[];
  /** Do not sync the canvas. */
  chatOnly?: boolean;
  /** The WebSocket class, where there is no global one. */
  WebSocket?: typeof WebSocket;
  backoff?: BackoffPolicy;
  /** Returns a number in [0, 1), for jitter. */
  random?: () => number;
  /** How long opening and restoring a connection may take. */
  restoreTimeoutMs?: number;
  /** A clock in milliseconds that never runs backwards. */
  now?: () => number;
}

export const defaults = (): Required<Omit<ClientOptions, 'doc' | 'token'>> => ({
  store: memoryStorage(),
  alternatives: [],
  chatOnly: false,
  WebSocket: globalThis.WebSocket,
  backoff: DEFAULT_BACKOFF,
  random: Math.random,
  restoreTimeoutMs: 10_000,
  now: () => performance.now(),
});
