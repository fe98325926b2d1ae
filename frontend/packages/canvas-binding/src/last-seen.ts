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
  /** The same as long as each element keeps its place in the list, and others are added at its end only. */
  losses = 0;
  private readonly forgotten = new Set<string>();

  /** Return the elements that are not at their place as they were, and those to look at again. */
  changed(elements: readonly CanvasElement[]): CanvasElement[] {
    const changed: CanvasElement[] = [];
    let hasLost = this.elements.length > elements.length;
    elements.forEach((element, at) => {
      if (this.isSame(element, at)) return;
      changed.push(element);
      if ((this.elements[at]?.id ?? element.id) !== element.id) hasLost = true;
      this.elements[at] = element;
      this.versions[at] = element.version;
      this.nonces[at] = element.versionNonce;
    });
    if (hasLost) this.losses += 1;
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
