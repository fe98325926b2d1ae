import type { Release } from './claims.js';
import type { KeptRecord, KeptRecords } from './kept-records.js';
import type { SessionStore, StoredSession } from './storage.js';

const WRITE_AFTER_MS = 250;
const MAX_CANVAS_BYTES = 20_000_000;
/** Longest wait for a write: some browsers never answer, and messages must be sent even so. */
const WRITE_PATIENCE_MS = 2000;

/**
 * One record as a store: written a little later, so that what the server has at once
 * costs no write, and at once when the page is being left.
 */
export class KeptSession implements SessionStore {
  orphans: KeptSession[] = [];
  private session: StoredSession | null;
  private takeCanvas: () => Uint8Array | null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private writing: Promise<void> = Promise.resolve();
  /** What was written last, if nothing was unsaved in it. */
  private writtenIdle: string | null = null;
  private closed = false;
  private forgotten = false;

  constructor(
    private readonly records: KeptRecords,
    private readonly id: string,
    private readonly release: Release,
    private readonly found: KeptRecord | null,
  ) {
    this.session = found?.session ?? null;
    this.takeCanvas = () => found?.canvas ?? null;
    globalThis.addEventListener?.('pagehide', this.flush);
    // Earlier, if the browser asks the user first: more time to write.
    globalThis.addEventListener?.('beforeunload', this.flush);
  }

  load(): StoredSession | null {
    return structuredClone(this.session);
  }

  loadCanvas(): Uint8Array | null {
    return this.found?.canvas ?? null;
  }

  save(session: StoredSession): void {
    if (this.forgotten) return;
    this.session = session;
    this.writeSoon();
  }

  async stored(): Promise<void> {
    this.flush();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<void>((resolve) => (timer = setTimeout(resolve, WRITE_PATIENCE_MS)));
    await Promise.race([this.writing, tooLate]);
    clearTimeout(timer);
  }

  saveCanvas(take: () => Uint8Array | null): void {
    if (this.forgotten) return;
    this.takeCanvas = take;
    this.writeSoon();
  }

  /** Forget it for good: what is saved from now on is not kept. */
  forget(): void {
    this.session = null;
    this.takeCanvas = () => null;
    this.writeSoon(0);
    this.forgotten = true;
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    globalThis.removeEventListener?.('pagehide', this.flush);
    globalThis.removeEventListener?.('beforeunload', this.flush);
    this.orphans.forEach((orphan) => orphan.close());
    // Not before what is under way is written: the next one would read what was.
    void this.writing.finally(this.release);
  }

  private writeSoon(delayMs = WRITE_AFTER_MS): void {
    if (!this.closed) this.timer ??= setTimeout(this.flush, delayMs);
  }

  private readonly flush = (): void => {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.write()).catch(warn);
  };

  private write(): Promise<void> {
    if (this.session === null) return this.records.delete(this.id);
    const canvas = this.takeCanvas();
    if (canvas !== null && canvas.length > MAX_CANVAS_BYTES) {
      return Promise.reject(new RangeError(`${canvas.length} bytes of unsaved drawing are too many`));
    }
    const { outbox, generation } = this.session;
    // All is in Redis: what has changed since, the server tells at the next restore.
    const idle = canvas === null && outbox.pending.length === 0 ? `${outbox.client_id} ${generation}` : null;
    if (idle !== null && idle === this.writtenIdle) return Promise.resolve();
    this.writtenIdle = idle;
    return this.records.put({ id: this.id, session: this.session, canvas, at: Date.now() });
  }
}

function warn(fault: unknown): void {
  // A full or forbidden storage costs safety over a reload, not the session.
  console.warn('isshoni: what is not yet sent could not be stored', fault);
}
