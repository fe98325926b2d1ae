import { comparePlaces, complete, type Place } from './order.js';
import { generateNKeysBetween } from 'fractional-indexing';

export type Arranged = Readonly<{ id: string; index: string }>;

/** From this number of changes on, all is sorted again: that is quicker than to move each to its place. */
const MANY = 100;

/**
 * Places in their order, each with the index that `complete` gives it.
 *
 * A change looks for its place and completes the indices around it; how many places there are does not
 * count. The result is always that of sorting and completing all.
 */
export class SortedPlaces {
  private sorted: Place[] = [];
  /** What `complete` makes of `sorted`, at the same positions. */
  private placed: Arranged[] = [];
  private readonly indices = new Map<string, string>();
  /** The ids of those whose index is not their own: it was made from their neighbours. */
  readonly made = new Set<string>();

  /** All places, in order; the list changes with the next `update`. */
  get all(): readonly Arranged[] {
    return this.placed;
  }

  /** Move, add, or remove places; an index of null removes. */
  update(changes: readonly (readonly [id: string, index: string | null])[]): void {
    if (changes.length > MANY) return this.sortAgain(changes);
    const touched: Place[] = [];
    for (const [id, index] of changes) {
      const before = this.indices.get(id);
      if (before === (index ?? undefined)) continue;
      if (before !== undefined) touched.push(this.remove([id, before]));
      if (index !== null) touched.push(this.insert([id, index]));
    }
    let done = -1;
    for (const at of touched.map((place) => this.find(place)).sort((one, other) => one - other)) {
      if (at > done) done = this.completeAround(at);
    }
  }

  private sortAgain(changes: readonly (readonly [id: string, index: string | null])[]): void {
    for (const [id, index] of changes) {
      if (index === null) this.indices.delete(id);
      else this.indices.set(id, index);
    }
    this.sorted = [...this.indices].sort(comparePlaces);
    this.placed = complete(this.sorted);
    this.made.clear();
    this.placed.forEach(({ id, index }, at) => index !== this.sorted[at]![1] && this.made.add(id));
  }

  private remove(place: Place): Place {
    const at = this.find(place);
    this.sorted.splice(at, 1);
    this.placed.splice(at, 1);
    this.indices.delete(place[0]);
    this.made.delete(place[0]);
    return place;
  }

  /** Add a place whose index is not completed yet. */
  private insert(place: Place): Place {
    const at = this.find(place);
    this.sorted.splice(at, 0, place);
    this.placed.splice(at, 0, { id: place[0], index: '' });
    this.indices.set(...place);
    return place;
  }

  /** Return the position of a place, or where it would be. */
  private find(place: Place): number {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePlaces(this.sorted[middle]!, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Complete the indices around a position where a place was added or removed.
   *
   * Returns the last position that was looked at: there an index is its own, as it was before, and
   * what follows depends on nothing below it.
   */
  private completeAround(changed: number): number {
    let at = changed;
    // Made indices reach up to the next one that is not made: those just below depend on what is here.
    while (at > 0 && this.made.has(this.sorted[at - 1]![0])) at -= 1;
    while (at < this.sorted.length) {
      const lower = this.placed[at - 1]?.index ?? '';
      const [, own] = this.sorted[at]!;
      if (own > lower) {
        const isAsBefore = this.placed[at]!.index === own;
        this.place(at, own);
        if (isAsBefore && at >= changed) return at;
        at += 1;
      } else at = this.makeFrom(at, lower);
    }
    return at;
  }

  /** Make indices for all from a position on that are not above `lower`; returns the position after them. */
  private makeFrom(from: number, lower: string): number {
    let end = from;
    while (end < this.sorted.length && this.sorted[end]![1] <= lower) end += 1;
    const made = generateNKeysBetween(lower === '' ? null : lower, this.sorted[end]?.[1] ?? null, end - from);
    made.forEach((index, step) => this.place(from + step, index));
    return end;
  }

  private place(at: number, index: string): void {
    const [id, own] = this.sorted[at]!;
    if (index === own) this.made.delete(id);
    else this.made.add(id);
    if (this.placed[at]!.index !== index) this.placed[at] = { id, index };
  }
}
