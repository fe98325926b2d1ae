import * as Y from 'yjs';
import type { SessionStore } from './storage.js';

const MERGE_BEYOND = 200;

/** The changes to the canvas made here that are not known to be in Redis; the store has them too. */
export class UnsavedCanvas {
  private updates: Uint8Array[] = [];

  constructor(private readonly store: SessionStore) {}

  get isEmpty(): boolean {
    return this.updates.length === 0;
  }

  /** Put what was kept, here and by tabs that are gone, back into the document. */
  restore(doc: Y.Doc, origin: unknown): void {
    for (const store of [this.store, ...(this.store.orphans ?? [])]) {
      const kept = store.loadCanvas?.() ?? null;
      if (kept === null) continue;
      try {
        Y.applyUpdate(doc, kept, origin);
        this.add(kept);
      } catch (fault) {
        console.warn('isshoni: a drawing that was kept could not be read', fault);
      }
    }
  }

  add(update: Uint8Array): void {
    this.updates.push(update);
    if (this.updates.length > MERGE_BEYOND) this.updates = [Y.mergeUpdates(this.updates)];
    this.store.saveCanvas?.(this.merged);
  }

  /** Forget the unsaved changes, as they are in Redis; returns true if there were any. */
  clear(): boolean {
    const hadAny = !this.isEmpty;
    this.updates = [];
    if (hadAny) this.store.saveCanvas?.(this.merged);
    return hadAny;
  }

  private readonly merged = (): Uint8Array | null => (this.isEmpty ? null : Y.mergeUpdates(this.updates));
}
