import { usable } from './order.js';
import { SortedPlaces, type Arranged } from './sorted-places.js';

type Given = readonly [id: string, index: unknown];

/**
 * The order of a document's elements, kept while single elements change.
 *
 * To read and sort every index at each change costs more than all else on a large canvas.
 */
export class Places {
  private readonly indices = new Map<string, unknown>();
  private readonly sorted = new SortedPlaces();
  /** The ids whose place in `sorted` may be an old one. */
  private readonly changed = new Set<string>();
  /** The elements that lie in `sorted` where the editor has them, not where they are stored. */
  private kept: ReadonlyMap<string, unknown> = new Map();

  set(id: string, index: unknown): void {
    if (this.indices.has(id) && this.indices.get(id) === index) return;
    this.indices.set(id, index);
    this.changed.add(id);
  }

  delete(id: string): void {
    if (this.indices.delete(id)) this.changed.add(id);
  }

  /**
   * Return all elements in their order; those of `kept` at the index that the editor has for them.
   *
   * The list changes with the next call.
   */
  arrange(kept: Iterable<Given> = []): readonly Arranged[] {
    this.update(kept);
    return this.sorted.all;
  }

  /** Return the elements whose stored index is missing, taken or no index, with one that was made for each. */
  unsettled(): readonly Arranged[] {
    this.update([]);
    if (this.sorted.made.size === 0) return [];
    return this.sorted.all.filter(({ id }) => this.sorted.made.has(id));
  }

  private update(kept: Iterable<Given>): void {
    const differing = new Map([...kept].filter(([id, index]) => !this.indices.has(id) || this.indices.get(id) !== index));
    for (const id of new Set([...this.kept.keys(), ...differing.keys()])) {
      if (this.kept.has(id) !== differing.has(id) || this.kept.get(id) !== differing.get(id)) this.changed.add(id);
    }
    this.kept = differing;
    if (this.changed.size === 0) return;
    this.sorted.update([...this.changed].map((id) => [id, this.indexOf(id)] as const));
    this.changed.clear();
  }

  /** Return the usable index of an element that is kept or stored, empty if it has none; null if it is neither. */
  private indexOf(id: string): string | null {
    if (this.kept.has(id)) return usable(this.kept.get(id));
    return this.indices.has(id) ? usable(this.indices.get(id)) : null;
  }
}
