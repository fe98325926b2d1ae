import { generateKeyBetween } from 'fractional-indexing';
import { toElement, type CanvasElement, type Editor } from '../src/index.js';

/** An editor as Excalidraw is one: it changes its elements in place and counts their versions. */
export class FakeEditor implements Editor {
  held = new Set<string>();
  pressed: string | null = null;
  shows = 0;
  private scene: CanvasElement[] = [];

  constructor(private readonly random: () => number = Math.random) {}

  elements(): readonly CanvasElement[] {
    return this.scene;
  }

  show(elements: readonly CanvasElement[]): void {
    this.shows += 1;
    this.scene = [...elements];
  }

  inHand(): ReadonlySet<string> {
    return this.held;
  }

  press(): string | null {
    return this.pressed;
  }

  find(id: string): CanvasElement {
    return this.scene.find((element) => element.id === id)!;
  }

  visible(): CanvasElement[] {
    return this.scene.filter((element) => !element.isDeleted);
  }

  add(id: string, properties: Record<string, unknown> = {}): void {
    const drawn = { type: 'rectangle', x: 0, y: 0, width: 10, height: 10, strokeColor: '#000000', ...properties };
    const index = generateKeyBetween(this.scene.at(-1)?.index ?? null, null);
    // Like Excalidraw, it makes no element that lacks a property.
    const element = { ...toElement(id, drawn)!, index, versionNonce: this.newNonce() };
    this.scene = [...this.scene, element];
  }

  /** Show a file's elements in place of all there are, as Excalidraw does when one is dropped. */
  open(elements: readonly CanvasElement[]): void {
    let last: string | null = null;
    this.scene = elements.map((element) => {
      last = last !== null && element.index <= last ? generateKeyBetween(last, null) : element.index;
      return { ...element, index: last };
    });
  }

  change(id: string, properties: Record<string, unknown>): void {
    const element = this.find(id);
    Object.assign(element, properties, { version: element.version + 1, versionNonce: this.newNonce() });
  }

  /** Put an element at a place of the stack, between its new neighbours. */
  restack(id: string, to: number): void {
    const element = this.find(id);
    const others = this.scene.filter((other) => other !== element);
    const index = generateKeyBetween(others[to - 1]?.index ?? null, others[to]?.index ?? null);
    this.scene = [...others.slice(0, to), element, ...others.slice(to)];
    this.change(id, { index });
  }

  private newNonce(): number {
    return Math.floor(this.random() * 2 ** 31);
  }
}
