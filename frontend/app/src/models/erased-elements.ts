import type { IsshoniClient } from '@isshoni/client';
import * as Y from 'yjs';

/** An erased element is kept at least this long, so that its deletion can be undone. */
export const KEEP_MS = 10 * 60_000;
/** The elements erased last are kept for longer. */
export const KEEP_COUNT = 100;
const CHECK_EVERY_MS = 60_000;

/** Transaction origin of these removals: they belong to no user, so no undo brings them back. */
const TIDYING = Symbol('tidying');

type Client = Pick<IsshoniClient, 'doc' | 'elements' | 'on' | 'status' | 'permit'>;

/**
 * Removes elements from the document that were erased long ago.
 *
 * The page marks what a user erases (`isDeleted`), and what a user undoes loses its `type`: so both can be
 * taken back. Removed is what was marked all the time that this tab has seen it. Each tab does this: a second
 * removal changes nothing. See docs/proposals/051-elements-erased-long-ago.md.
 */
export class ErasedElements {
  /** Since when this tab has seen an element as erased; the earliest first. */
  private readonly since = new Map<string, number>();

  constructor(
    private readonly client: Client,
    private readonly now: () => number = () => performance.now(),
  ) {
    client.elements.observeDeep((events) => {
      for (const { path, keys } of events) {
        for (const id of path.length > 0 ? [String(path[0])] : keys.keys()) this.check(id);
      }
    });
    for (const id of client.elements.keys()) this.check(id);
  }

  /** Remove erased elements each minute; the first time at random, so that tabs take turns. */
  start(): void {
    setTimeout(() => setInterval(() => this.remove(), CHECK_EVERY_MS), Math.random() * CHECK_EVERY_MS);
  }

  /** Remove what is due, unless the server would not take it. */
  remove(): void {
    const due = this.due();
    const { client } = this;
    if (due.length === 0 || client.status !== 'restored' || client.permit?.role === 'read') return;
    client.doc.transact(() => due.forEach((id) => client.elements.delete(id)), TIDYING);
  }

  private due(): string[] {
    const erased = [...this.since].slice(0, Math.max(0, this.since.size - KEEP_COUNT));
    return erased.filter(([, since]) => this.now() - since >= KEEP_MS).map(([id]) => id);
  }

  private check(id: string): void {
    const element = this.client.elements.get(id);
    if (!isErased(element) && !isUndone(element)) this.since.delete(id);
    else if (!this.since.has(id)) this.since.set(id, this.now());
  }
}

/** True if an element is marked as erased. */
export function isErased(element: unknown): boolean {
  if (element instanceof Y.Map) return element.get('isDeleted') === true;
  return typeof element === 'object' && element !== null && 'isDeleted' in element && element.isDeleted === true;
}

/** True if the drawing of an element was undone. */
const isUndone = (element: unknown): boolean => element instanceof Y.Map && !element.has('type');
