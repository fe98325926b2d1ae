const VERSION = 1;

/**
 * The databases, their stores, and what the key of a record in each is.
 *
 * A new store needs a database of its own: a page of an older release could not open one with a later version.
 */
const DATABASES: Record<string, Record<string, string[]>> = {
  'isshoni-canvas': { pictures: ['space', 'id'], library: ['id'] },
  'isshoni-arriving': { arriving: ['space', 'id'] },
};
const DATABASE_OF = { pictures: 'isshoni-canvas', library: 'isshoni-canvas', arriving: 'isshoni-arriving' } as const;

/**
 * Records that this browser keeps in IndexedDB, beside the client's outbox.
 *
 * Where a browser has no IndexedDB, or it is full, nothing is kept: no method throws.
 */
export class BrowserRecords<T> {
  private static readonly databases = new Map<string, Promise<IDBDatabase | null>>();

  /** Opens the database: it has to be open when a record is stored at the last moment. */
  constructor(private readonly name: keyof typeof DATABASE_OF) {
    void this.database();
  }

  async all(): Promise<T[]> {
    return ((await this.run('readonly', (store) => store.getAll())) ?? []) as T[];
  }

  /** Store a record in place of the one with its key; returns false if that was not possible. */
  async put(record: T): Promise<boolean> {
    return (await this.run('readwrite', (store) => store.put(record))) !== null;
  }

  async delete(...key: string[]): Promise<void> {
    await this.run('readwrite', (store) => store.delete(key));
  }

  private database(): Promise<IDBDatabase | null> {
    const name = DATABASE_OF[this.name];
    const opened = BrowserRecords.databases.get(name) ?? open(name);
    BrowserRecords.databases.set(name, opened);
    return opened;
  }

  private async run(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
    const database = await this.database();
    if (database === null) return null;
    try {
      const store = database.transaction(this.name, mode).objectStore(this.name);
      const done = result(act(store));
      // A page that is going has no turn left in which the transaction would commit by itself.
      store.transaction.commit();
      return await done;
    } catch (fault) {
      console.warn('isshoni: this browser could not keep a part of the canvas', fault);
      return null;
    }
  }
}

async function open(called: string): Promise<IDBDatabase | null> {
  try {
    const request = indexedDB.open(called, VERSION);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(DATABASES[called]!)) request.result.createObjectStore(name, { keyPath });
    };
    const database = await result(request);
    // Another tab with a newer form must not wait for this one.
    database.onversionchange = () => database.close();
    return database;
  } catch {
    return null;
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}
