import { isStoredSession, type StoredSession } from './storage.js';

const DATABASE = 'isshoni';
const RECORDS = 'sessions';

/** What IndexedDB holds of one session for one tab. */
export interface KeptRecord {
  space: string;
  id: string;
  session: StoredSession;
  /** Changes to the canvas that are not known to be in Redis, as one Yjs update. */
  canvas: Uint8Array | null;
  /** When it was written, in milliseconds since 1970. */
  at: number;
}

/** The records of one session, by the id of the tab that wrote them. */
export class KeptRecords {
  private constructor(
    private readonly database: IDBDatabase,
    private readonly space: string,
  ) {}

  static async open(space: string): Promise<KeptRecords> {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(RECORDS, { keyPath: ['space', 'id'] });
    const database = await result(request);
    // Another tab with a newer form must not wait for us.
    database.onversionchange = () => database.close();
    return new KeptRecords(database, space);
  }

  async all(): Promise<KeptRecord[]> {
    const range = IDBKeyRange.bound([this.space, ''], [this.space, '\uFFFF']);
    const records = await result(this.store('readonly').getAll(range));
    return (records as KeptRecord[]).filter(
      ({ session, canvas }) => isStoredSession(session) && (canvas === null || canvas instanceof Uint8Array),
    );
  }

  async put(record: Omit<KeptRecord, 'space'>): Promise<void> {
    const store = this.store('readwrite');
    const written = result(store.put({ ...record, space: this.space }));
    // A page that is going has no turn left in which the transaction would commit by itself.
    store.transaction.commit();
    await written;
  }

  async delete(id: string): Promise<void> {
    await result(this.store('readwrite').delete([this.space, id]));
  }

  private store(mode: IDBTransactionMode): IDBObjectStore {
    return this.database.transaction(RECORDS, mode).objectStore(RECORDS);
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}
