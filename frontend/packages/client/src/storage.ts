import { isIdentifier } from './identifiers.js';
import type { Position } from './messages.js';
import type { OutboxState } from './outbox-state.js';

/** What must outlive a reload so that no typed message is lost or doubled. */
export interface StoredSession {
  outbox: OutboxState;
  /** Of the last connection; the next one has a greater. */
  generation: number;
}

/** What one tab keeps of one session; it must belong to no other tab at the same time. */
export interface SessionStore {
  load: () => StoredSession | null;
  save: (session: StoredSession) => void;
  /** Resolves once the last save is stored or has failed; absent if `save` stores at once. */
  stored?: () => Promise<void>;
  /** Return the changes to the canvas that were not saved when the tab ended. */
  loadCanvas?: () => Uint8Array | null;
  /** Record that there are other unsaved changes, or none: `take` returns them, merged. */
  saveCanvas?: (take: () => Uint8Array | null) => void;
  /** What tabs that are gone left behind: it is sent from here. */
  orphans?: SessionStore[];
  /** Forget everything: it was delivered, or the session is no more. */
  forget?: () => void;
  /** Release it: from now on another tab may take it over. */
  close?: () => void;
}

/** Keep the outbox in a Web Storage (sessionStorage: one client a tab). */
export function webStorage(storage: Storage, key: string): SessionStore {
  return {
    load: () => parseStored(storage.getItem(key)),
    save: (session) => {
      try {
        storage.setItem(key, JSON.stringify(session));
      } catch (fault) {
        // A full or forbidden storage costs safety over a reload, not the chat.
        console.warn('isshoni: the outbox could not be stored', fault);
      }
    },
    forget: () => storage.removeItem(key),
  };
}

/** Keep a session for as long as this object lives. */
export function memoryStorage(): SessionStore {
  let stored: StoredSession | null = null;
  return {
    load: () => structuredClone(stored),
    save: (session) => {
      stored = structuredClone(session);
    },
    forget: () => {
      stored = null;
    },
  };
}

/** True if this is a session as we store it; any script of the origin can write to a storage. */
export function isStoredSession(value: unknown): value is StoredSession {
  const stored = value as Partial<StoredSession> | null;
  const outbox = stored?.outbox;
  return (
    typeof outbox?.client_id === 'string' &&
    isIdentifier(outbox.client_id) &&
    Number.isSafeInteger(outbox.last_n) &&
    Array.isArray(outbox.pending) &&
    outbox.pending.every(({ n, text }) => Number.isSafeInteger(n) && typeof text === 'string') &&
    (outbox.sent_n === undefined || Number.isSafeInteger(outbox.sent_n)) &&
    (outbox.sent_at === undefined || outbox.sent_at === null || isPosition(outbox.sent_at)) &&
    Number.isSafeInteger(stored?.generation)
  );
}

function isPosition(value: Partial<Position>): boolean {
  return typeof value.epoch === 'string' && Number.isSafeInteger(value.seq);
}

function parseStored(text: string | null): StoredSession | null {
  if (text === null) return null;
  try {
    const stored: unknown = JSON.parse(text);
    return isStoredSession(stored) ? stored : null;
  } catch {
    return null;
  }
}
