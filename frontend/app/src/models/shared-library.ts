import { toElement, type CanvasElement } from '@isshoni/canvas-binding';
import type * as Y from 'yjs';

/** A shape of a collection: elements that are inserted together. */
export interface Shape {
  id: string;
  name?: string;
  created: number;
  elements: readonly CanvasElement[];
}

/** A session has at most this many shapes; readers ignore the rest. */
export const MOST_SHAPES = 100;
const MOST_ELEMENTS = 200;
const LONGEST_NAME = 100;
const LARGEST_BYTES = 100_000;

/** Return the shapes that were shared with the session: any client may write anything there. */
export function readShapes(library: Y.Map<unknown>): Shape[] {
  const shapes: Shape[] = [];
  for (const id of [...library.keys()].sort()) {
    const shape = toShape(id, library.get(id));
    if (shape !== null && shapes.length < MOST_SHAPES) shapes.push(shape);
  }
  return shapes;
}

/** Share shapes with the session; returns how many of them are there now. */
export function shareShapes(library: Y.Map<unknown>, shapes: readonly { id: string; name?: string; created: number; elements: readonly object[] }[]): number {
  let shared = 0;
  library.doc?.transact(() => {
    for (const { id, name, created, elements } of shapes) {
      // Through JSON: what has no place in it, such as undefined, has none in the document.
      const stored = JSON.parse(JSON.stringify({ name, created, elements: elements.filter(isShareable) })) as unknown;
      if (toShape(id, stored) === null || (!library.has(id) && library.size >= MOST_SHAPES)) continue;
      shared += 1;
      if (!library.has(id)) library.set(id, stored);
    }
  });
  return shared;
}

/** Images are files of the session that they are in. */
const isShareable = (element: object): boolean => !('type' in element && element.type === 'image');

function toShape(id: string, stored: unknown): Shape | null {
  if (typeof stored !== 'object' || stored === null || id.length > LONGEST_NAME) return null;
  const { name, created, elements } = stored as Partial<Record<keyof Shape, unknown>>;
  if (!Array.isArray(elements) || elements.length > MOST_ELEMENTS || JSON.stringify(elements).length > LARGEST_BYTES) return null;
  const checked = elements.map(readElement).filter((element) => element !== null);
  if (checked.length === 0) return null;
  const said = typeof name === 'string' && name !== '' ? { name: name.slice(0, LONGEST_NAME) } : {};
  return { id, created: Number.isFinite(created) ? Number(created) : 0, elements: checked, ...said };
}

function readElement(stored: unknown): CanvasElement | null {
  if (typeof stored !== 'object' || stored === null || !('id' in stored) || typeof stored.id !== 'string') return null;
  const element = toElement(stored.id, { ...stored });
  return element === null || element.isDeleted || element.type === 'image' ? null : element;
}
