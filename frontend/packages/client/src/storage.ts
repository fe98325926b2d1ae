import type { OutboxState } from './outbox.js';

/** What must outlive a reload so that no typed message is lost or doubled. */
export interface StoredSession {
  outbox: OutboxState;
  /** Of the last connection; the next one has a greater. */
  generation: number;
}

export interface SessionStore {
  load: () => StoredSession | null;
  save: (session: StoredSession) => void;
}

/** Keep a session in a Web Storage (sessionStorage: one client a tab). */
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
  };
}

function parseStored(text: string | null): StoredSession | null {
  if (text === null) return null;
  try {
    const stored = JSON.parse(text) as Partial<StoredSession> | null;
    const usable =
      typeof stored?.outbox?.client_id === 'string' &&
      Number.isSafeInteger(stored.outbox.last_n) &&
      Array.isArray(stored.outbox.pending) &&
      Number.isSafeInteger(stored.generation);
    return usable ? (stored as StoredSession) : null;
  } catch {
    return null;
  }
}
