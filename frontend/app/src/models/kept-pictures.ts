import { BrowserRecords } from './browser-records.js';

/** An image that is not uploaded yet, as this browser keeps it until it is. */
export interface KeptPicture {
  /** The session, among all of this origin. */
  space: string;
  id: string;
  /** The tab that uploads it. */
  tab: string;
  /** When it was kept, in milliseconds since 1970. */
  at: number;
  /** The editor's file, and the elements that show it. */
  file: unknown;
  elements: readonly unknown[];
}

export const MOST_KEPT = 20;
export const KEEP_MS = 7 * 86_400_000;
/** How long to wait for the page before a reload to end. */
const RELOAD_PATIENCE_MS = 2_000;

/** Keeps images that are not uploaded yet over a reload, or the end of the tab. */
export class KeptPictures {
  readonly tab = `isshoni-pictures:${Array.from(crypto.getRandomValues(new Uint32Array(4))).join('-')}`;
  private readonly written = new Map<string, string>();
  private storing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly space: string,
    private readonly records = new BrowserRecords<KeptPicture>('pictures'),
  ) {
    // Until this page ends: then the next one may take over what it keeps.
    void lock(this.tab, () => new Promise(() => undefined));
  }

  /** Keep an image as it is now; `state` changes with what is to be kept. False if there is no room. */
  keep(id: string, state: string, picture: Pick<KeptPicture, 'file' | 'elements'>): boolean {
    if (this.written.get(id) === state) return true;
    if (!this.written.has(id) && this.written.size >= MOST_KEPT) return false;
    this.written.set(id, state);
    this.storing = this.records.put({ space: this.space, id, tab: this.tab, at: Date.now(), ...picture });
    return true;
  }

  /** Resolves once the last image is stored that was to be kept. */
  async stored(): Promise<void> {
    await this.storing;
  }

  /** Forget an image that was uploaded, refused or erased. */
  forget(id: string): void {
    if (this.written.delete(id)) void this.records.delete(this.space, id);
  }

  /** Return the images that pages which have ended left here, and how many of them are too old. */
  async takeOver(): Promise<{ pictures: KeptPicture[]; expired: number }> {
    const left = (await this.records.all()).filter(({ space, tab }) => space === this.space && tab !== this.tab);
    const pictures: KeptPicture[] = [];
    let expired = 0;
    for (const picture of left) {
      if (!(await lock(picture.tab, () => this.records.put({ ...picture, tab: this.tab })))) continue;
      this.written.set(picture.id, '');
      if (Date.now() - picture.at < KEEP_MS) pictures.push(picture);
      else {
        this.forget(picture.id);
        expired += 1;
      }
    }
    return { pictures, expired };
  }
}

/**
 * Run an action while holding a lock; returns false if another page of this browser has it.
 *
 * Browsers have locks only on secure origins; elsewhere the action is run: to upload an image twice
 * is to upload it once.
 */
export async function lock(name: string, action: () => Promise<unknown>): Promise<boolean> {
  const { locks } = navigator as { locks?: LockManager };
  if (locks === undefined) {
    await action();
    return true;
  }
  try {
    await locks.request(name, { signal: AbortSignal.timeout(RELOAD_PATIENCE_MS) }, action);
    return true;
  } catch {
    return false;
  }
}
