import type { CanvasElement } from './element.js';

/**
 * Finds the elements that changed since they were last looked at.
 *
 * The editor replaces elements, and changes them in place. To look up thousands of them by their
 * ids at each change costs more than to compare them with those at the same places of the list.
 */
export class LastSeen {
  private elements: (CanvasElement | null)[] = [];
  private versions: number[] = [];
  private nonces: number[] = [];
  /** Grows each time that the list is another one, or one of its elements changed. */
  changes = 0;
  private readonly forgotten = new Set<string>();

  /** Return the elements that are not at their place as they were, and those to look at again. */
  changed(elements: readonly CanvasElement[]): CanvasElement[] {
    const changed: CanvasElement[] = [];
    elements.forEach((element, at) => {
      if (this.isSame(element, at)) return;
      changed.push(element);
      this.elements[at] = element;
      this.versions[at] = element.version;
      this.nonces[at] = element.versionNonce;
    });
    if (changed.length > 0 || this.elements.length !== elements.length) this.changes += 1;
    this.elements.length = this.versions.length = this.nonces.length = elements.length;
    this.forgotten.clear();
    return changed;
  }

  /** Return an element as changed the next time, although it is not. */
  forget(id: string): void {
    this.forgotten.add(id);
  }

  private isSame(element: CanvasElement, at: number): boolean {
    const same = this.elements[at] === element && this.versions[at] === element.version && this.nonces[at] === element.versionNonce;
    return same && (this.forgotten.size === 0 || !this.forgotten.has(element.id));
  }
}

/** Return a function that finds an element by its id; quickly if it is at the place that is guessed. */
export function finder(elements: readonly CanvasElement[]): (id: string, guess: number) => CanvasElement | undefined {
  let byId: Map<string, CanvasElement> | null = null;
  return (id, guess) => {
    const there = elements[guess];
    if (there?.id === id) return there;
    byId ??= new Map(elements.map((element) => [element.id, element]));
    return byId.get(id);
  };
}
