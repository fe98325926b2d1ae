/** An element as Excalidraw holds it; docs/protocol.md names the properties of each type. */
export interface CanvasElement {
  id: string;
  type: string;
  /** Its place in the stack: a fractional index, compared as text. */
  index: string;
  isDeleted: boolean;
  /** Grows with each change made in this editor; `versionNonce` is another one each time. */
  version: number;
  versionNonce: number;
  [property: string]: unknown;
}

/** What the binding needs of an editor. */
export interface Editor {
  /** Return all elements, deleted ones too, lowest first; the editor may change them in place. */
  elements(): readonly CanvasElement[];
  /** Replace all elements by these, in this order. */
  show(elements: readonly CanvasElement[]): void;
  /** Return the ids of what the user is changing right now: it must not be replaced. */
  inHand(): ReadonlySet<string>;
  /** Return a name for the current pointer press or held key; null when there is none. */
  press(): string | null;
}

export type Properties = Record<string, unknown>;

/**
 * What is not in the document.
 *
 * The first three tell how this editor came to an element, not what it is: everyone
 * counts for themselves, so that two edits of different properties merge, and an undo
 * does not turn a version back. The last tells whether *we* have uploaded the picture.
 */
const LOCAL = new Set(['id', 'version', 'versionNonce', 'updated', 'status']);

/** Return the properties that are shared. */
export function sharedProperties(element: CanvasElement): Properties {
  const shared: Properties = {};
  for (const name of Object.keys(element)) {
    if (!LOCAL.has(name) && element[name] !== undefined) shared[name] = element[name];
  }
  return shared;
}

/** True if two JSON values are equal. */
export function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => isEqual((one as Properties)[name], (other as Properties)[name]))
  );
}

/** True if an element is only about to become one: a mere click, a picture not yet uploaded. */
export function isUnfinished({ type, width, height, points, status }: CanvasElement): boolean {
  if (type === 'image' && status === 'pending') return true;
  if (type === 'line' || type === 'arrow' || type === 'freedraw') return !Array.isArray(points) || points.length < 2;
  return width === 0 && height === 0;
}
