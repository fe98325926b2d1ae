import { canLock, claim } from './claims.js';
import { newClientId } from './identifiers.js';
import { KeptRecords, type KeptRecord } from './kept-records.js';
import { KeptSession } from './kept-session.js';
import { memoryStorage, type SessionStore } from './storage.js';

const RELOAD_PATIENCE_MS = 1000;
const STALE_MS = 86_400_000;

/**
 * Keep what is typed and drawn in IndexedDB until it is in Redis, also over the end of
 * the tab: the next tab of this browser in the same session sends it.
 *
 * `space` names the session among all of this origin. Each tab has a record of its own,
 * and holds a claim on it; the records of tabs that are gone are taken over. Where a
 * browser gives no IndexedDB, what it gives is memory.
 */
export async function indexedStorage(space: string): Promise<SessionStore> {
  try {
    return await openStorage(space);
  } catch (fault) {
    console.warn('isshoni: this browser keeps nothing over the end of a tab', fault);
    return memoryStorage();
  }
}

async function openStorage(space: string): Promise<SessionStore> {
  const records = await KeptRecords.open(space);
  const take = async (id: string, found: KeptRecord | null, patienceMs = 0): Promise<KeptSession | null> => {
    const release = await claim(`isshoni:${space}:${id}`, patienceMs);
    return release && new KeptSession(records, id, release, found);
  };
  const found = await records.all();
  const own = tabId(space);
  const ownRecord = found.find(({ id }) => id === own.get()) ?? null;
  const mine = await takeOwn(own, ownRecord, take);
  for (const record of found) {
    if (record === ownRecord) continue;
    if (holdsWork(record)) {
      const orphan = await take(record.id, record);
      if (orphan !== null) mine.orphans.push(orphan);
    } else if (Date.now() - record.at > STALE_MS) await records.delete(record.id);
  }
  return mine;
}

async function takeOwn(
  own: TabId,
  record: KeptRecord | null,
  take: (id: string, found: KeptRecord | null, patienceMs?: number) => Promise<KeptSession | null>,
): Promise<KeptSession> {
  const known = own.get();
  const wasLeft = own.takeMark();
  // A duplicated tab starts with a copy of the sessionStorage; the first tab keeps the id.
  // Without locks only the first tab itself could claim it, and it may be frozen. So the id
  // is used again only with the mark that a page leaves on a reload: a copy has no mark.
  const again = known === null || !(canLock() || wasLeft) ? null : await take(known, record, RELOAD_PATIENCE_MS);
  if (again !== null) return again;
  const id = newClientId();
  own.set(id);
  const fresh = await take(id, null);
  if (fresh === null) throw new Error('a name that nobody has was taken');
  return fresh;
}

function holdsWork({ session, canvas }: KeptRecord): boolean {
  return session.outbox.pending.length > 0 || canvas !== null;
}

interface TabId {
  get: () => string | null;
  set: (id: string) => void;
  /** True if the previous page of this tab was left (a reload), not copied; clears the mark. */
  takeMark: () => boolean;
}

/** What tells this tab from others, over a reload. */
function tabId(space: string): TabId {
  const key = `isshoni:tab:${space}`;
  const left = `isshoni:left:${space}`;
  const storage = globalThis.sessionStorage as Storage | undefined;
  const takeMark = (): boolean => {
    const wasLeft = (storage?.getItem(left) ?? null) !== null;
    storage?.removeItem(left);
    return wasLeft;
  };
  globalThis.addEventListener?.('pagehide', () => storage?.setItem(left, '1'));
  // The page is back from the browser's cache: it was not left.
  globalThis.addEventListener?.('pageshow', takeMark);
  return {
    get: () => storage?.getItem(key) ?? null,
    set: (id) => storage?.setItem(key, id),
    takeMark,
  };
}
