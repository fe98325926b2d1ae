import { comparePlaces, complete, usable, type Place } from './order.js';

type Given = readonly [id: string, index: unknown];
type Arranged = Readonly<{ id: string; index: string }>;

/**
 * The order of a document's elements, kept while single elements change.
 *
 * To read and sort every index at each change costs more than all else on a large canvas.
 */
export class Places {
  private readonly indices = new Map<string, unknown>();
  /** In order, or nearly: a sorted list with some changes is sorted quickly. */
  private lastOrder: Place[] = [];
  private readonly changed = new Set<string>();
  private arranged: readonly Arranged[] | null = null;
  private arrangedWith: readonly Given[] = [];

  /** Return the index of an element as it is stored. */
  indexOf(id: string): unknown {
    return this.indices.get(id);
  }

  set(id: string, index: unknown): void {
    if (this.indices.has(id) && this.indices.get(id) === index) return;
    this.indices.set(id, index);
    this.change(id);
  }

  delete(id: string): void {
    if (this.indices.delete(id)) this.change(id);
  }

  /** Return all elements in their order; those of `kept` at the index that the editor has for them. */
  arrange(kept: Iterable<Given> = []): readonly Arranged[] {
    const differing = [...kept].filter(([id, index]) => this.indices.get(id) !== index);
    if (this.arranged !== null && isSame(differing, this.arrangedWith)) return this.arranged;
    this.arranged = complete(this.orderWith(differing));
    this.arrangedWith = differing;
    return this.arranged;
  }

  private orderWith(differing: readonly Given[]): readonly Place[] {
    const stored = this.inOrder();
    if (differing.length === 0) return stored;
    const own = new Set(differing.map(([id]) => id));
    const others = stored.filter(([id]) => !own.has(id));
    return [...others, ...differing.map(([id, index]): Place => [id, usable(index)])].sort(comparePlaces);
  }

  private change(id: string): void {
    this.changed.add(id);
    this.arranged = null;
  }

  private inOrder(): readonly Place[] {
    if (this.changed.size === 0) return this.lastOrder;
    const unchanged = this.lastOrder.filter(([id]) => !this.changed.has(id));
    const changed = [...this.changed].filter((id) => this.indices.has(id)).map((id): Place => [id, usable(this.indices.get(id))]);
    this.changed.clear();
    this.lastOrder = [...unchanged, ...changed].sort(comparePlaces);
    return this.lastOrder;
  }
}

const isSame = (one: readonly Given[], other: readonly Given[]): boolean =>
  one.length === other.length && one.every(([id, index], at) => other[at]![0] === id && other[at]![1] === index);
